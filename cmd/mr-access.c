/* mr-access - permit or forbid clients and senders by a table. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_access, argc, argv);
}
