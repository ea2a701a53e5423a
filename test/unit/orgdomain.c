#include "dns/orgdomain.h"

#include "../tap.h"

static const struct {
	const char *name, *org;
} cases[] = {
	{ "example.com", "example.com" },
	{ "a.b.example.com", "example.com" },
	{ "A.Example.COM", "Example.COM" },
	{ "mx.a.example.co.uk", "example.co.uk" },
	{ "co.uk", "co.uk" },
	{ "com", "com" },
	{ "_dmarc.example.com", "example.com" },
	/* wildcard and its exception: *.ck, !www.ck */
	{ "a.b.test.ck", "b.test.ck" },
	{ "test.ck", "test.ck" },
	{ "a.www.ck", "www.ck" },
	/* the list's private part */
	{ "a.b.github.io", "b.github.io" },
	/* nobody listed it */
	{ "a.b.example", "b.example" },
	{ "localhost", "localhost" },
	/* A-labels: a suffix of two labels, and one of one */
	{ "a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn" },
	{ "a.xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai" },
	{ "", "" },
};

int
main(void)
{
	char longest[257];
	struct mr_orgdomain *list;
	struct mr_err err;

	if (!ok(mr_orgdomain_open(&list, &err) == MR_OK, "there is a list")) {
		printf("# %s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		is(mr_orgdomain_of(list, mr_str(cases[i].name)), cases[i].org, cases[i].name);
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	is(mr_orgdomain_of(list, mr_str(longest)), longest, "no domain name is its own");
	mr_orgdomain_close(list);
	return done_testing();
}
