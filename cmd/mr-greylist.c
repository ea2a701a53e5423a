/* mr-greylist - who is not known must try again. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_greylist, argc, argv);
}
