/* A library that is loaded at first need, and one that is not what it should be. */
#include "base/lazy.h"

#include "../tap.h"

struct functions {
	int (*one)(const char *);
	size_t (*other)(const char *);
};

int
main(void)
{
	static const char *const names[] = { "atoi", "strlen" };
	static const char *const wrong[] = { "atoi", "mr_no_such_function" };
	struct functions f;
	struct mr_err err;

	ok(mr_lazy_load(&f, "libc.so.6", names, 2, &err) == MR_OK && f.one("42") == 42
	        && f.other("four") == 4,
	    "both functions, each in its place");
	ok(mr_lazy_load(&f, "libc.so.6", wrong, 2, &err) == MR_TEMP
	        && strstr(err.text, "mr_no_such_function"),
	    "a function that is not there is named");
	ok(mr_lazy_load(&f, "libmr-no-such.so.1", names, 2, &err) == MR_TEMP
	        && strstr(err.text, "libmr-no-such.so.1"),
	    "a library that is not there is named");
	return done_testing();
}
