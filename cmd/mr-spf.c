/* mr-spf - whether the sender's domain lets the client send. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_spf, argc, argv);
}
