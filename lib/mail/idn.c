#include "mail/idn.h"

#include "base/lazy.h"
#include "mail/addr.h"

#include <idn2.h>
#include <string.h>

#define LIB(name)    idn2_##name
#define FUNCTIONS(F) F(to_ascii_8z) F(strerror) F(free)

struct libidn2 {
	FUNCTIONS(MR_LAZY_FIELD)
};

enum mr_status
mr_domain_to_ascii(
    struct mr_str *out, struct mr_arena *arena, struct mr_str domain, struct mr_err *err)
{
	struct libidn2 idn2;
	char z[MR_DOMAIN_MAX + 1], *ascii = NULL;
	size_t i = 0;
	enum mr_status st;
	int code;

	*out = domain;
	while (i < domain.n && (unsigned char)domain.p[i] < 0x80)
		i++;
	if (i == domain.n)
		return MR_OK;
	if (domain.n > MR_DOMAIN_MAX || memchr(domain.p, '\0', domain.n))
		return mr_err_set(err, MR_PERM, "no domain name");
	st = MR_LAZY_LOAD(&idn2, FUNCTIONS, err);
	if (st)
		return st;
	memcpy(z, domain.p, domain.n);
	z[domain.n] = '\0';
	code = idn2.to_ascii_8z(z, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (code == IDN2_MALLOC)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (code != IDN2_OK)
		return mr_err_set(err, MR_PERM, "no domain name: %s", idn2.strerror(code));
	*out = mr_arena_dup(arena, mr_str(ascii));
	idn2.free(ascii);
	return out->p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}
