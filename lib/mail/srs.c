#include "mail/srs.h"

#include "base/buf.h"
#include "base/crypto.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (MR_SRS_KEYS_MAX * (MR_SRS_KEY_MAX + 512u)) /* bytes of a file of keys */
#define DAY_S     86400
#define DAY_CYCLE 1024u /* two characters of base32 */
#define TAG_LEN   4u
#define HASH_ROOM 29u /* base64 of an HMAC-SHA-1, and a NUL */

/* ---- keys ----------------------------------------------------------------------------------------- */

static enum mr_status
take_key(struct mr_srs *srs, struct mr_str key, struct mr_err *err)
{
	if (key.n < MR_SRS_KEY_MIN || key.n > MR_SRS_KEY_MAX)
		return mr_err_set(err, MR_USAGE, "a key has %u to %u octets, not %zu",
		    MR_SRS_KEY_MIN, MR_SRS_KEY_MAX, key.n);
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] < ' ' || key.p[i] == 0x7f)
			return mr_err_set(err, MR_USAGE, "a control character in a key");
	if (srs->key_n == MR_SRS_KEYS_MAX)
		return mr_err_set(
		    err, MR_USAGE, "more than %u keys; take out the oldest", MR_SRS_KEYS_MAX);
	srs->key[srs->key_n] = mr_arena_dup(&srs->arena, key);
	return srs->key[srs->key_n++].p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
take_keys(struct mr_srs *srs, const char *path, struct mr_str text, struct mr_err *err)
{
	struct mr_str line;
	struct mr_err why;
	size_t n = 0;

	while (mr_str_split(&text, '\n', &line)) {
		enum mr_status st;

		n++;
		line = mr_str_trim(line);
		if (line.n && line.p[0] != '#' && (st = take_key(srs, line, &why)))
			return mr_err_set(err, st, "%s:%zu: %s", path, n, why.text);
	}
	return srs->key_n ? MR_OK : mr_err_set(err, MR_USAGE, "%s: no key in it", path);
}

/* Who can read a key can make addresses that we take for ours. */
static enum mr_status
check_file(int fd, const char *path, struct mr_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", path);
	if (!S_ISREG(st.st_mode))
		return mr_err_set(err, MR_USAGE, "%s: not a file", path);
	return st.st_mode & (S_IROTH | S_IWOTH)
	    ? mr_err_set(err, MR_USAGE, "%s: open to everybody; chmod o= %s", path, path)
	    : MR_OK;
}

enum mr_status
mr_srs_open(struct mr_srs *srs, const char *path, struct mr_str domain, struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;
	int fd;

	*srs = (struct mr_srs){ .hash_min = MR_SRS_HASH, .days = MR_SRS_DAYS };
	if (!mr_domain_is_valid(domain))
		return mr_err_set(err, MR_USAGE, "'%.*s' is not a domain", (int)domain.n, domain.p);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_USAGE : MR_TEMP, "%s", path);
	mr_arena_init(&srs->arena, 2 * FILE_MAX);
	mr_buf_init(&text, FILE_MAX);
	if ((st = check_file(fd, path, err)) == MR_OK
	    && (st = mr_io_read_all(fd, &text, err)) == MR_PERM)
		st = mr_err_set(err, MR_USAGE, "%s: over %u bytes", path, FILE_MAX);
	if (st == MR_OK)
		st = take_keys(srs, path, mr_buf_str(&text), err);
	if (st == MR_OK && !(srs->domain = mr_arena_lower(&srs->arena, domain)).p)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	if (st)
		mr_srs_free(srs);
	mr_buf_free(&text);
	close(fd);
	return st;
}

void
mr_srs_free(struct mr_srs *srs)
{
	mr_arena_free(&srs->arena);
	srs->key_n = 0;
}

/* ---- hash and day ----------------------------------------------------------------------------------- */

/* The hash under `key` of what it protects, which is in lower case. */
static enum mr_status
make_hash(char hash[HASH_ROOM], struct mr_str key, struct mr_str what, struct mr_err *err)
{
	uint8_t mac[MR_SHA1_N];
	struct mr_buf text;
	enum mr_status st = mr_hmac_sha1(mac, key, what, err);

	mr_buf_init(&text, HASH_ROOM);
	if (st == MR_OK)
		st = mr_base64_encode(&text, (struct mr_str){ (const char *)mac, sizeof mac }, err);
	if (st == MR_OK) {
		memcpy(hash, text.p, text.n);
		hash[text.n] = '\0';
	}
	mr_buf_free(&text);
	return st;
}

/* What a hash protects: no separators, case does not count. */
static struct mr_str
protected_text(struct mr_arena *arena, struct mr_str day, struct mr_str domain, struct mr_str local)
{
	struct mr_str text = mr_arena_fmt(arena, "%.*s%.*s%.*s", (int)day.n, day.p, (int)domain.n,
	    domain.p, (int)local.n, local.p);

	return text.p ? mr_arena_lower(arena, text) : text;
}

static bool
is_same_hash(const char *hash, struct mr_str given)
{
	int differ = 0;

	for (size_t i = 0; i < given.n; i++)
		differ |= mr_lower((unsigned char)hash[i]) ^ mr_lower((unsigned char)given.p[i]);
	return !differ;
}

static enum mr_status
is_signed(
    bool *is, const struct mr_srs *srs, struct mr_str hash, struct mr_str what, struct mr_err *err)
{
	char right[HASH_ROOM];
	enum mr_status st = MR_OK;

	*is = false;
	if (hash.n < srs->hash_min || hash.n > MR_SRS_HASH_MAX)
		return MR_OK;
	for (size_t i = 0; i < srs->key_n && !*is && st == MR_OK; i++)
		if ((st = make_hash(right, srs->key[i], what, err)) == MR_OK)
			*is = is_same_hash(right, hash);
	return st;
}

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static unsigned
day_of(int64_t now_s)
{
	return (unsigned)(now_s / DAY_S) % DAY_CYCLE;
}

static void
write_day(char text[2], int64_t now_s)
{
	unsigned day = day_of(now_s);

	text[0] = base32[day / 32];
	text[1] = base32[day % 32];
}

static bool
read_day(unsigned *day, struct mr_str text)
{
	*day = 0;
	for (size_t i = 0; i < text.n; i++) {
		int c = mr_lower((unsigned char)text.p[i]);

		if (c >= 'a' && c <= 'z')
			*day = *day * 32 + (unsigned)(c - 'a');
		else if (c >= '2' && c <= '7')
			*day = *day * 32 + 26 + (unsigned)(c - '2');
		else
			return false;
	}
	return text.n == 2;
}

/* The clock of the host that made it may be ahead of ours, and it may have been tomorrow there. */
static bool
is_in_time(const struct mr_srs *srs, unsigned day, int64_t now_s)
{
	unsigned age = (day_of(now_s) - day) % DAY_CYCLE;

	return age <= srs->days || age == DAY_CYCLE - 1;
}

/* ---- the parts of an address -------------------------------------------------------------------------- */

struct parts {
	struct mr_str hash, day, domain, local; /* day: of SRS0 only */
};

/* A local part without the quotes around it; backslashes stay. */
static struct mr_str
unquoted(struct mr_str local)
{
	return local.n >= 2 && local.p[0] == '"' ? (struct mr_str){ local.p + 1, local.n - 2 }
	                                         : local;
}

static bool
is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* What stands behind the tag, the separator in front; p NULL: there is no tag. */
static struct mr_str
behind_tag(struct mr_str local, const char *tag)
{
	bool has_tag =
	    mr_str_casestarts(local, tag) && local.n > TAG_LEN && is_separator(local.p[TAG_LEN]);

	return has_tag ? mr_str_from(local, TAG_LEN) : (struct mr_str){ NULL, 0 };
}

static bool
take(struct mr_str *rest, struct mr_str *piece)
{
	ptrdiff_t end = mr_str_chr(*rest, '=');

	if (end < 0)
		return false;
	*piece = (struct mr_str){ rest->p, (size_t)end };
	*rest = mr_str_from(*rest, (size_t)end + 1);
	return true;
}

static bool
is_domain(struct mr_str s)
{
	return mr_domain_is_valid(s) || mr_domain_is_literal(s);
}

/* Of what is behind the tag SRS0: hash=day=domain=local. */
static bool
split_srs0(struct parts *p, struct mr_str rest)
{
	rest = mr_str_from(rest, 1);
	if (!take(&rest, &p->hash) || !take(&rest, &p->day) || !take(&rest, &p->domain))
		return false;
	p->local = rest;
	return is_domain(p->domain);
}

/* Of what is behind the tag SRS1: hash=domain=local, local being what is behind that domain's SRS0. */
static bool
split_srs1(struct parts *p, struct mr_str rest)
{
	rest = mr_str_from(rest, 1);
	if (!take(&rest, &p->hash) || !take(&rest, &p->domain))
		return false;
	p->day = MR_STR("");
	p->local = rest;
	return is_domain(p->domain) && rest.n && is_separator(rest.p[0]);
}

/* An address of the local part `tag` and `local`, with quotes if it needs them; `local` has backslashes
 * already where it would. */
static enum mr_status
join(struct mr_str *to, struct mr_arena *arena, const char *tag, struct mr_str local,
    struct mr_str domain, struct mr_err *err)
{
	enum mr_status st = MR_PERM;

	for (int quoted = 0; quoted < 2 && st == MR_PERM; quoted++) {
		const char *quote = quoted ? "\"" : "";
		struct mr_str text = mr_arena_fmt(arena, "%s%s%.*s%s@%.*s", quote, tag,
		    (int)local.n, local.p, quote, (int)domain.n, domain.p);
		struct mr_addr a;

		st = text.p ? mr_addr_parse(&a, arena, text, err)
		            : mr_err_set(err, MR_TEMP, "out of memory");
		if (st == MR_OK)
			*to = a.text;
	}
	return st;
}

/* ---- there and back ----------------------------------------------------------------------------------- */

enum mr_status
mr_srs_forward(struct mr_str *to, const struct mr_srs *srs, struct mr_arena *arena,
    struct mr_str sender, int64_t now_s, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(sender, '@');
	struct mr_str local, what, rest;
	char hash[HASH_ROOM], day[2];
	struct parts p;
	enum mr_status st;
	bool is_srs1 = true;

	if (at < 0)
		return mr_err_set(err, MR_PERM, "address without a domain");
	local = unquoted((struct mr_str){ sender.p, (size_t)at });
	p = (struct parts){ .domain = mr_str_from(sender, (size_t)at + 1), .day = MR_STR("") };
	if ((rest = behind_tag(local, "SRS0")).p)
		p.local = rest;
	else if (!(rest = behind_tag(local, "SRS1")).p || !split_srs1(&p, rest)) {
		/* The host between the first one and us is left out: it could do no more for a bounce. */
		is_srs1 = false;
		write_day(day, now_s);
		p.day = (struct mr_str){ day, sizeof day };
		p.domain = mr_str_from(sender, (size_t)at + 1);
		p.local = local;
	}
	what = protected_text(arena, p.day, p.domain, p.local);
	if (!what.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = make_hash(hash, srs->key[0], what, err)))
		return st;
	p.hash = (struct mr_str){ hash, MR_SRS_HASH };
	local = mr_arena_fmt(arena, "%.*s=%.*s%s%.*s=%.*s", (int)p.hash.n, p.hash.p, (int)p.day.n,
	    p.day.p, is_srs1 ? "" : "=", (int)p.domain.n, p.domain.p, (int)p.local.n, p.local.p);
	return local.p ? join(to, arena, is_srs1 ? "SRS1=" : "SRS0=", local, srs->domain, err)
	               : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_srs_reverse(enum mr_srs_result *result, struct mr_str *to, const struct mr_srs *srs,
    struct mr_arena *arena, const struct mr_addr *addr, int64_t now_s, struct mr_err *err)
{
	struct mr_str local = unquoted(addr->local), srs0 = behind_tag(local, "SRS0"),
	              srs1 = behind_tag(local, "SRS1"), what;
	struct parts p;
	unsigned day = 0;
	enum mr_status st;
	bool is;

	*result = MR_SRS_OTHER;
	if (!mr_str_eq(addr->domain, srs->domain) || (!srs0.p && !srs1.p))
		return MR_OK;
	*result = MR_SRS_FORGED;
	if (srs0.p ? !split_srs0(&p, srs0) || !read_day(&day, p.day) : !split_srs1(&p, srs1))
		return MR_OK;
	what = protected_text(arena, p.day, p.domain, p.local);
	if (!what.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = is_signed(&is, srs, p.hash, what, err)) || !is)
		return st;
	if (srs0.p && !is_in_time(srs, day, now_s)) {
		*result = MR_SRS_EXPIRED;
		return MR_OK;
	}
	st = join(to, arena, srs0.p ? "" : "SRS0", p.local, p.domain, err);
	if (st == MR_OK)
		*result = MR_SRS_VALID;
	return st == MR_TEMP ? MR_TEMP : MR_OK;
}
