/* mr-copy - copies of mail to one more address. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_copy, argc, argv);
}
