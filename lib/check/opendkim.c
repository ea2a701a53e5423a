/* The one file that knows libopendkim. */
#include "check/opendkim.h"

#include "base/crypto.h"
#include "base/lazy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HAVE_STDBOOL_H 1
#define HAVE_LIMITS_H  1
#include <opendkim/dkim.h>

static const char differs[] = "the signature did not verify",
                  no_verdict[] = "libopendkim cannot verify it";

#define LIB(name) dkim_##name
/* clang-format off */
#define FUNCTIONS(F) \
	F(close) F(eoh) F(free) F(getsiglist) F(header) F(init) F(options) F(set_key_lookup) \
	F(set_user_context) F(sig_getdomain) \
	F(sig_geterror) F(sig_getflags) F(sig_getkeysize) F(sig_getselector) F(sig_process) F(verify)
/* clang-format on */

struct functions {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct mr_opendkim_lib {
	struct functions lib;
	DKIM_LIB *handle;
};

struct mr_opendkim {
	const struct functions *lib;
	DKIM *handle;
	struct mr_opendkim_sig *sig;
	size_t n;
};

/* ---- the library ------------------------------------------------------------------------------------- */

/* Index of the library's signature among ours, or n: both have the same order. */
static size_t
index_of(struct mr_opendkim *d, DKIM_SIGINFO *sig)
{
	DKIM_SIGINFO **list = NULL;
	size_t i = 0;
	int n = 0;

	if (d->lib->getsiglist(d->handle, &list, &n) != DKIM_STAT_OK || (size_t)n != d->n)
		return d->n;
	while (i < d->n && list[i] != sig)
		i++;
	return i;
}

/* Gives it a key's record.  It never fails: one that does would end the message for all signatures. */
static DKIM_CBSTAT
look_up_key(DKIM *handle, DKIM_SIGINFO *sig, u_char *buf, size_t buf_n)
{
#define HOOK(F) F(get_user_context)
	/* The hook gets nothing of ours but through this function, and there are no variables to keep it in. */
	struct {
		HOOK(MR_LAZY_FIELD)
	} lib;
	struct mr_opendkim *d =
	    MR_LAZY_LOAD(&lib, HOOK, NULL) ? NULL : lib.get_user_context(handle);
	size_t i;
	int n;

	if (!d || (i = index_of(d, sig)) == d->n)
		return DKIM_CBSTAT_NOTFOUND;
	n = snprintf((char *)buf, buf_n, "%s", d->sig[i].key);
	return n > 0 && (size_t)n < buf_n ? DKIM_CBSTAT_CONTINUE : DKIM_CBSTAT_NOTFOUND;
}

enum mr_status
mr_opendkim_load(struct mr_opendkim_lib **lib, struct mr_err *err)
{
	/* Signatures are looked at when we say; those that it cannot read keep their place. */
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
	struct mr_opendkim_lib *l = calloc(1, sizeof *l);
	enum mr_status st;

	*lib = NULL;
	if (!l)
		return mr_err_set(err, MR_TEMP, "out of memory");
	/* Before it lets OpenSSL load all that there is. */
	if ((st = mr_crypto_load(err)) || (st = MR_LAZY_LOAD(&l->lib, FUNCTIONS, err))) {
		free(l);
		return st;
	}
	l->handle = l->lib.init(NULL, NULL);
	if (!l->handle
	    || l->lib.options(l->handle, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags)
	        != DKIM_STAT_OK
	    || l->lib.set_key_lookup(l->handle, look_up_key) != DKIM_STAT_OK) {
		mr_opendkim_unload(l);
		return mr_err_set(err, MR_TEMP, "libopendkim does not begin");
	}
	*lib = l;
	return MR_OK;
}

void
mr_opendkim_unload(struct mr_opendkim_lib *lib)
{
	if (lib && lib->handle)
		lib->lib.close(lib->handle);
	free(lib);
}

/* ---- a message --------------------------------------------------------------------------------------- */

enum mr_status
mr_opendkim_open(struct mr_opendkim **d, struct mr_opendkim_lib *lib, struct mr_opendkim_sig *sig,
    size_t n, struct mr_err *err)
{
	static const unsigned char id[] = "mr";
	struct mr_opendkim *o = calloc(1, sizeof *o);
	DKIM_STAT stat = DKIM_STAT_OK;

	*d = NULL;
	if (!o)
		return mr_err_set(err, MR_TEMP, "out of memory");
	o->lib = &lib->lib;
	o->sig = sig;
	o->n = n;
	o->handle = lib->lib.verify(lib->handle, id, NULL, &stat);
	if (!o->handle || o->lib->set_user_context(o->handle, o) != DKIM_STAT_OK) {
		mr_opendkim_close(o);
		return mr_err_set(err, MR_TEMP, "libopendkim: code %d", stat);
	}
	*d = o;
	return MR_OK;
}

void
mr_opendkim_close(struct mr_opendkim *d)
{
	if (d && d->handle)
		d->lib->free(d->handle);
	free(d);
}

/* Its functions take bytes that are not const, and leave them as they are. */
static u_char *
bytes_of(struct mr_str s)
{
	u_char *p;

	memcpy(&p, &s.p, sizeof p);
	return p;
}

enum mr_status
mr_opendkim_field(struct mr_opendkim *d, struct mr_str field, struct mr_err *err)
{
	DKIM_STAT stat = d->lib->header(d->handle, bytes_of(field), field.n);

	return stat == DKIM_STAT_OK ? MR_OK
	                            : mr_err_set(err, stat == DKIM_STAT_SYNTAX ? MR_PERM : MR_TEMP,
	                                "libopendkim: a header field: code %d", stat);
}

/* True if the library has read it as it was read here. */
static bool
is_as_read(const struct mr_opendkim *d, DKIM_SIGINFO *sig, const struct mr_opendkim_sig *ours)
{
	const char *domain = (const char *)d->lib->sig_getdomain(sig),
	           *selector = (const char *)d->lib->sig_getselector(sig);

	return domain && selector && mr_str_is(ours->domain, domain)
	    && mr_str_is(ours->selector, selector);
}

static enum mr_status
process(struct mr_opendkim *d, DKIM_SIGINFO *sig, struct mr_opendkim_sig *ours, struct mr_err *err)
{
	DKIM_STAT stat;
	unsigned flags;
	int code;

	ours->why_bad = no_verdict;
	/* One that it cannot read must not be processed. */
	if (!is_as_read(d, sig, ours) || d->lib->sig_geterror(sig) != DKIM_SIGERROR_UNKNOWN)
		return MR_OK;
	stat = d->lib->sig_process(d->handle, sig);
	if (stat == DKIM_STAT_NORESOURCE || stat == DKIM_STAT_INTERNAL)
		return mr_err_set(err, MR_TEMP, "libopendkim: a signature: code %d", stat);
	flags = d->lib->sig_getflags(sig);
	code = d->lib->sig_geterror(sig);
	if (!(flags & DKIM_SIGFLAG_PROCESSED))
		return MR_OK;
	if (!(flags & DKIM_SIGFLAG_PASSED))
		ours->why_bad = differs;
	else if (code == DKIM_SIGERROR_UNKNOWN
	    || code == DKIM_SIGERROR_OK) /* it waits for the body */
		ours->why_bad = NULL;
	d->lib->sig_getkeysize(sig, &ours->bits);
	return MR_OK;
}

enum mr_status
mr_opendkim_end(struct mr_opendkim *d, struct mr_err *err)
{
	DKIM_STAT stat = d->lib->eoh(d->handle);
	DKIM_SIGINFO **list = NULL;
	enum mr_status st = MR_OK;
	int n = 0;

	if (stat != DKIM_STAT_OK)
		return mr_err_set(err, MR_TEMP, "libopendkim: end of header: code %d", stat);
	if (d->lib->getsiglist(d->handle, &list, &n) != DKIM_STAT_OK || (size_t)n != d->n)
		return mr_err_set(err, MR_TEMP, "libopendkim sees %d signatures of %zu", n, d->n);
	for (size_t i = 0; i < d->n && st == MR_OK; i++)
		st = process(d, list[i], &d->sig[i], err);
	return st;
}
