/* mr-helo - whether the client's name for itself can be true. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_helo, argc, argv);
}
