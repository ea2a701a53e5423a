/* crc.c - lib/base/crc. */
#include "base/crc.h"

#include "../tap.h"

int
main(void)
{
	ok(mr_crc32(0, MR_STR("123456789")) == 0xcbf43926, "the check value of CRC-32");
	ok(mr_crc32(0, MR_STR("")) == 0 && mr_crc32(0, mr_str(NULL)) == 0, "of nothing");
	ok(mr_crc32(7, mr_str(NULL)) == 7, "nothing changes nothing");
	ok(mr_crc32(mr_crc32(0, MR_STR("1234")), MR_STR("56789")) == 0xcbf43926, "in two pieces");
	ok(mr_crc32(0, MR_STR("a\0b")) != mr_crc32(0, MR_STR("a\0c")), "behind a NUL");
	return done_testing();
}
