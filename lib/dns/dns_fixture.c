#include "dns/dns_fixture.h"

#include "base/io.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (16u << 20) /* bytes of all lines, read */

struct line {
	struct mr_str owner;       /* wire form, lower case */
	unsigned type;             /* 0: all, of a fault */
	enum mr_dns_result result; /* MR_DNS_FOUND: a record */
	struct mr_dns_record rec;
	struct mr_str target; /* of a CNAME, as owner */
};

struct mr_dns_fixture {
	const struct mr_ldns *ldns;
	struct mr_arena arena;
	struct line *line;
	size_t n, cap;
	struct mr_str apex; /* of a zone, in wire form; p NULL: answers are for all names */
};

static const struct {
	const char *word;
	enum mr_dns_result result;
} faults[] = { { "nxdomain", MR_DNS_NXDOMAIN }, { "servfail", MR_DNS_SERVFAIL },
	{ "refused", MR_DNS_REFUSED }, { "timeout", MR_DNS_TIMEOUT }, { "broken", MR_DNS_BROKEN } };

static const struct {
	const char *word;
	enum mr_dns_type type;
} types[] = { { "", 0 }, { "A", MR_DNS_A }, { "NS", MR_DNS_NS }, { "CNAME", MR_DNS_CNAME },
	{ "SOA", MR_DNS_SOA }, { "PTR", MR_DNS_PTR }, { "MX", MR_DNS_MX }, { "TXT", MR_DNS_TXT },
	{ "AAAA", MR_DNS_AAAA }, { "TLSA", MR_DNS_TLSA }, { "SPF", MR_DNS_SPF } };

/* "NAME ! WORD [TYPE]".  MR_NOTFOUND: the line is no fault. */
static enum mr_status
parse_fault(const struct mr_ldns *ldns, struct mr_dns_name *owner, struct line *line,
    struct mr_str text, struct mr_err *err)
{
	struct mr_str name = mr_str_word(&text), mark = mr_str_word(&text);
	struct mr_str word = mr_str_word(&text), type = mr_str_word(&text);
	size_t i = 0, t = 0;

	if (!mr_str_is(mark, "!"))
		return MR_NOTFOUND;
	while (i < sizeof faults / sizeof *faults && !mr_str_caseis(word, faults[i].word))
		i++;
	while (t < sizeof types / sizeof *types && !mr_str_caseis(type, types[t].word))
		t++;
	if (i == sizeof faults / sizeof *faults || t == sizeof types / sizeof *types
	    || !mr_dns_name_parse(ldns, owner, name))
		return mr_err_set(err, MR_PERM, "'!' needs a name before it, a fault behind it");
	line->result = faults[i].result;
	line->type = types[t].type;
	return MR_OK;
}

static struct mr_str
dup(struct mr_arena *arena, const struct mr_dns_name *name)
{
	return mr_arena_dup(arena, (struct mr_str){ (const char *)name->wire, name->n });
}

static enum mr_status
add_line(struct mr_dns_fixture *f, struct mr_str text, struct mr_err *err)
{
	struct mr_dns_line parsed = { .type = 0 };
	struct line *line;
	enum mr_status st;

	if (!mr_arena_grow(&f->arena, &f->line, f->n, &f->cap, sizeof *f->line))
		return mr_err_set(err, MR_TEMP, "out of memory");
	line = &f->line[f->n++];
	*line = (struct line){ .result = MR_DNS_FOUND };
	st = parse_fault(f->ldns, &parsed.owner, line, text, err);
	if (st == MR_NOTFOUND
	    && (st = mr_dns_line_parse(f->ldns, &parsed, &f->arena, text, err)) == MR_OK) {
		line->type = parsed.type;
		line->rec = parsed.rec;
		line->target = dup(&f->arena, &parsed.target);
	}
	line->owner = dup(&f->arena, &parsed.owner);
	return st || line->owner.p ? st : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_dns_fixture_open(struct mr_dns_fixture **fixture, const struct mr_ldns *ldns, const char *path,
    struct mr_err *err)
{
	struct mr_dns_fixture *f = calloc(1, sizeof *f);
	enum mr_status st = MR_OK;
	struct mr_str rest, text;
	struct mr_err why;
	struct mr_buf b;
	size_t n = 0;

	*fixture = NULL;
	if (!f)
		return mr_err_set(err, MR_TEMP, "out of memory");
	f->ldns = ldns;
	mr_arena_init(&f->arena, ARENA_MAX);
	mr_buf_init(&b, MR_DNS_FIXTURE_MAX);
	if ((st = mr_io_read_file(path, &b, err)))
		st = MR_USAGE;
	rest = mr_buf_str(&b);
	while (st == MR_OK && mr_str_split(&rest, '\n', &text)) {
		n++;
		text = mr_str_trim(text);
		if (text.n && text.p[0] != '#' && text.p[0] != ';'
		    && (st = add_line(f, text, &why)))
			st = mr_err_set(
			    err, st == MR_TEMP ? st : MR_USAGE, "%s:%zu: %s", path, n, why.text);
	}
	mr_buf_free(&b);
	if (st)
		mr_dns_fixture_close(f);
	else
		*fixture = f;
	return st;
}

/* ---- zones ---------------------------------------------------------------------------------------- */

static enum mr_status
take_line(void *ctx, const struct mr_dns_line *parsed, struct mr_err *err)
{
	struct mr_dns_fixture *f = ctx;
	struct line *line;

	if (!mr_arena_grow(&f->arena, &f->line, f->n, &f->cap, sizeof *f->line))
		return mr_err_set(err, MR_TEMP, "out of memory");
	line = &f->line[f->n++];
	*line = (struct line){ .result = MR_DNS_FOUND,
		.owner = dup(&f->arena, &parsed->owner),
		.type = parsed->type,
		.rec = parsed->rec,
		.target = dup(&f->arena, &parsed->target) };
	if (parsed->type == MR_DNS_SOA)
		f->apex = line->owner;
	return line->owner.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_dns_fixture_open_zone(struct mr_dns_fixture **fixture, const struct mr_ldns *ldns,
    const char *path, const char *origin, struct mr_err *err)
{
	struct mr_dns_fixture *f = calloc(1, sizeof *f);
	struct mr_dns_name apex;
	enum mr_status st;
	struct mr_err why;
	struct mr_buf b;

	*fixture = NULL;
	if (!f)
		return mr_err_set(err, MR_TEMP, "out of memory");
	f->ldns = ldns;
	mr_arena_init(&f->arena, ARENA_MAX);
	mr_buf_init(&b, MR_DNS_FIXTURE_MAX);
	st = mr_io_read_file(path, &b, &why);
	if (st == MR_OK)
		st = mr_dns_zone_read(ldns, mr_buf_str(&b), origin, &f->arena, take_line, f, &why);
	if (st == MR_OK && !f->apex.p && mr_dns_name_parse(ldns, &apex, mr_str(origin)))
		f->apex = dup(&f->arena, &apex);
	if (st == MR_OK && !f->apex.p)
		st = mr_err_set(&why, MR_PERM, "no SOA, and no name of the zone");
	mr_buf_free(&b);
	if (st) {
		mr_err_set(err, MR_USAGE, "%s: %s", path, why.text);
		mr_dns_fixture_close(f);
		return st == MR_TEMP ? MR_TEMP : MR_USAGE;
	}
	*fixture = f;
	return MR_OK;
}

void
mr_dns_fixture_close(struct mr_dns_fixture *fixture)
{
	if (!fixture)
		return;
	mr_arena_free(&fixture->arena);
	free(fixture);
}

/* True if `name` is `parent` or below it: wire forms end alike, and at a label. */
static bool
is_at_or_below(struct mr_str name, struct mr_str parent)
{
	size_t at = 0;

	while (name.n - at > parent.n)
		at += 1 + (size_t)(unsigned char)name.p[at];
	return mr_str_eq(mr_str_from(name, at), parent);
}

/* One label less. */
static struct mr_str
parent_of(struct mr_str name)
{
	return mr_str_from(name, 1 + (size_t)(unsigned char)name.p[0]);
}

/* Counts the records of `name` and, if there is a place for them, copies them to `rec`.  With
 * MR_DNS_NODATA, `target` is that of its CNAME, or empty. */
static enum mr_dns_result
look_up(const struct mr_dns_fixture *f, struct mr_str name, unsigned type, size_t *n,
    struct mr_dns_record *rec, struct mr_str *target)
{
	bool is_there = false;

	*n = target->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct line *l = &f->line[i];
		bool is_it = mr_str_eq(l->owner, name);

		is_there = is_there || is_at_or_below(l->owner, name);
		if (is_it && l->result != MR_DNS_FOUND && (l->type == 0 || l->type == type))
			return l->result;
		if (!is_it || l->result != MR_DNS_FOUND)
			continue;
		if (l->type == MR_DNS_CNAME)
			*target = l->target;
		if (l->type == type && rec)
			rec[*n] = l->rec;
		*n += l->type == type;
	}
	return *n > MR_DNS_RECORD_MAX ? MR_DNS_BROKEN
	    : *n                      ? MR_DNS_FOUND
	    : is_there                ? MR_DNS_NODATA
	                              : MR_DNS_NXDOMAIN;
}

/* Whose records answer for `name` in a zone: its own, or those of a wildcard (RFC 4592), whose name is put
 * into `storage`. */
static struct mr_str
source_of(const struct mr_dns_fixture *f, struct mr_str name, uint8_t *storage)
{
	struct mr_str target, encloser = name;
	size_t n;

	if (!f->apex.p || look_up(f, name, 0, &n, NULL, &target) != MR_DNS_NXDOMAIN)
		return name;
	do
		encloser = parent_of(encloser);
	while (encloser.n > f->apex.n
	    && look_up(f, encloser, 0, &n, NULL, &target) == MR_DNS_NXDOMAIN);
	if (encloser.n + 2 > MR_DNS_NAME_MAX)
		return name;
	storage[0] = 1;
	storage[1] = '*';
	memcpy(storage + 2, encloser.p, encloser.n);
	return (struct mr_str){ (const char *)storage, encloser.n + 2 };
}

/* In the zone, and not handed on to other servers. */
static bool
is_ours(const struct mr_dns_fixture *f, struct mr_str name)
{
	if (!f->apex.p)
		return true;
	if (name.n < f->apex.n || !is_at_or_below(name, f->apex))
		return false;
	for (size_t i = 0; i < f->n; i++) {
		const struct line *l = &f->line[i];

		if (l->type == MR_DNS_NS && !mr_str_eq(l->owner, f->apex) && name.n >= l->owner.n
		    && is_at_or_below(name, l->owner))
			return false;
	}
	return true;
}

/* The end of the chain of aliases from *name on, and how many there are. */
static enum mr_dns_result
follow(const struct mr_dns_fixture *f, struct mr_str *name, unsigned type, size_t *n,
    struct mr_str *target, unsigned *links, uint8_t *storage)
{
	enum mr_dns_result result;

	*links = 0;
	*n = 0;
	for (*target = *name;;) {
		*name = *target;
		if (!is_ours(f, *name))
			return MR_DNS_NODATA;
		result = look_up(f, source_of(f, *name, storage), type, n, NULL, target);
		if (result != MR_DNS_NODATA || !target->n || (*links)++ == MR_DNS_CNAME_MAX)
			return result;
	}
}

static struct mr_dns_answer
answer(const struct mr_dns_fixture *f, const struct mr_dns_question *q, struct mr_arena *arena)
{
	const struct mr_dns_answer broken = { .result = MR_DNS_BROKEN };
	struct mr_dns_record *rec = NULL;
	struct mr_str name = q->name, target, canonical;
	unsigned links, type = MR_DNS_WIRE_TYPE(q->type);
	uint8_t star[MR_DNS_NAME_MAX];
	enum mr_dns_result result;
	size_t n;

	result = follow(f, &name, type, &n, &target, &links, star);
	if (result >= MR_DNS_SERVFAIL)
		return (struct mr_dns_answer){ .result = result };
	canonical = mr_dns_name_text(f->ldns, arena, name);
	if (!canonical.p || (result == MR_DNS_NODATA && target.n)
	    || (n && !(rec = mr_arena_alloc(arena, n * sizeof *rec))))
		return broken;
	look_up(f, source_of(f, name, star), type, &n, rec, &target);
	return (struct mr_dns_answer){
		.result = result, .canonical = canonical, .links = links, .rec = rec, .n = n
	};
}

void
mr_dns_fixture_answer(const struct mr_dns_fixture *fixture, struct mr_dns_question **q, size_t n,
    struct mr_arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		q[i]->answer = answer(fixture, q[i], arena);
		q[i]->is_answered = true;
	}
}

bool
mr_dns_fixture_answer_zone(const struct mr_dns_fixture *fixture, struct mr_dns_question *q,
    struct mr_str *elsewhere, unsigned *links, struct mr_arena *arena)
{
	uint8_t star[MR_DNS_NAME_MAX];
	struct mr_str target;
	size_t n;

	*elsewhere = q->name;
	follow(fixture, elsewhere, MR_DNS_WIRE_TYPE(q->type), &n, &target, links, star);
	if (!is_ours(fixture, *elsewhere))
		return false;
	mr_dns_fixture_answer(fixture, &q, 1, arena);
	return true;
}
