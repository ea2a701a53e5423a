/* mr-srs - bounces of forwarded mail go back to its sender. */
#include "filter/filter.h"

int
main(int argc, char **argv)
{
	return mr_filter_main(&mr_filter_srs, argc, argv);
}
