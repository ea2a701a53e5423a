/* mr-dmarc - whether the author's domain stands by the message, and what it wants if not. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_dmarc, argc, argv);
}
