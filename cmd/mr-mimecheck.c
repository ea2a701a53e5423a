/* mr-mimecheck - whether a message carries files that run. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_mimecheck, argc, argv);
}
