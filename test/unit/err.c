/* err.c - lib/base/err. */
#include "base/err.h"

#include "../tap.h"

#include <errno.h>

int
main(void)
{
	struct mr_err err;
	char big[MR_ERR_MAX * 2];
	bool is_clean = true;

	ok(mr_err_set(&err, MR_PERM, "%s %d", "no", 7) == MR_PERM, "gives the status back");
	is(mr_str(err.text), "no 7", "the reason");
	ok(mr_err_set(NULL, MR_TEMP, "%s", "x") == MR_TEMP, "err may be NULL");
	ok(mr_err_sys(NULL, MR_TEMP, "x") == MR_TEMP, "err may be NULL for errno, too");

	mr_err_set(&err, MR_PERM, "%s", "a\r\nb\tc\x7f\x1b[0m");
	is(mr_str(err.text), "a??b?c??[0m", "control characters become ?");
	for (int c = 1; c < 0x20; c++) {
		mr_err_set(&err, MR_PERM, "%c", c);
		is_clean = is_clean && strcmp(err.text, "?") == 0;
	}
	ok(is_clean, "all of them");
	mr_err_set(&err, MR_PERM, "%s", "M\xc3\xbcll");
	is(mr_str(err.text), "M\xc3\xbcll", "UTF-8 stays");

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	mr_err_set(&err, MR_PERM, "%s", big);
	ok(strlen(err.text) == MR_ERR_MAX - 1, "cut at MR_ERR_MAX");
	errno = ENOENT;
	ok(mr_err_sys(&err, MR_TEMP, "%s", big) == MR_TEMP && strlen(err.text) == MR_ERR_MAX - 1,
	    "cut at MR_ERR_MAX with errno's words");

	errno = ENOENT;
	mr_err_sys(&err, MR_NOTFOUND, "%s", "a\nfile");
	is(mr_str(err.text), "a?file: No such file or directory", "errno's words");
	ok(errno == ENOENT, "errno is kept");
	return done_testing();
}
