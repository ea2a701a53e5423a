/* mr-limit - rates of clients, users, senders and recipients. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_limit, argc, argv);
}
