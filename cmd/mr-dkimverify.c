/* mr-dkimverify - whether a message's DKIM signatures are good. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_dkimverify, argc, argv);
}
