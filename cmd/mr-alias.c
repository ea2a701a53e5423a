/* mr-alias - whom an address stands for: aliases, groups, forwarding. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_alias, argc, argv);
}
