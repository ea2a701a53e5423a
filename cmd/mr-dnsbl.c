/* mr-dnsbl - whether lists in the DNS, and tables, speak against the client. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_dnsbl, argc, argv);
}
