#include "dns/dns_wire.h"

#include "base/buf.h"
#include "base/lazy.h"
#include "mail/addr.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HEADER_LEN 12u
#define ZONE_TTL_S 3600u                 /* of a zone file that has no $TTL */
#define DATA_MAX   (8u * MR_DNS_TCP_MAX) /* bytes of one record in presentation form */

enum { FLAG_QR = 0x80, FLAG_TC = 0x02, FLAG_RD = 0x01 }; /* of byte 2 */
enum { FLAG_AD = 0x20, FLAG_CD = 0x10 };                 /* of byte 3 */
enum { OPCODE_MASK = 0x78, RCODE_MASK = 0x0f };

/* ---- the library ----------------------------------------------------------------------------- */

#define LIB(name) ldns_##name
/* clang-format off */
#define FUNCTIONS(F) \
	F(dname_compare) F(dname_new_frm_str) F(get_errorstr_by_id) F(pkt_aa) F(pkt_answer) \
	F(pkt_edns_extended_rcode) F(pkt_free) F(pkt_get_rcode) F(pkt_question) F(pkt_ra) \
	F(rdf2native_int16) F(rdf2str) F(rdf_data) F(rdf_deep_free) F(rdf_get_type) \
	F(rdf_new_frm_data) F(rdf_size) F(rr_free) F(rr_get_class) F(rr_get_type) \
	F(rr_list_rr) F(rr_list_rr_count) F(rr_new_frm_fp_l) F(rr_new_frm_str) F(rr_owner) F(rr_rd_count) \
	F(rr_rdf) F(rr_ttl) F(str2rdf_dname) F(wire2pkt)
/* clang-format on */

struct mr_ldns {
	FUNCTIONS(MR_LAZY_FIELD)
};

enum mr_status
mr_ldns_open(struct mr_ldns **ldns, struct mr_err *err)
{
	enum mr_status st;

	*ldns = calloc(1, sizeof **ldns);
	st =
	    *ldns ? MR_LAZY_LOAD(*ldns, FUNCTIONS, err) : mr_err_set(err, MR_TEMP, "out of memory");
	if (st) {
		free(*ldns);
		*ldns = NULL;
	}
	return st;
}

void
mr_ldns_close(struct mr_ldns *ldns)
{
	free(ldns);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Wire form has a length before each label; 63 and less are no letters. */
static void
lower(const struct mr_ldns *ldns, struct mr_dns_name *name, const ldns_rdf *rdf)
{
	name->n = ldns->rdf_size(rdf);
	for (size_t i = 0; i < name->n; i++)
		name->wire[i] = (uint8_t)mr_lower(ldns->rdf_data(rdf)[i]);
}

bool
mr_dns_name_parse(const struct mr_ldns *ldns, struct mr_dns_name *name, struct mr_str text)
{
	char z[4 * MR_DNS_NAME_MAX + 1]; /* each byte may be written \DDD */
	ldns_rdf *rdf = NULL;

	if (text.n == 0 || text.n >= sizeof z)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	if (ldns->str2rdf_dname(&rdf, z) != LDNS_STATUS_OK)
		return false;
	lower(ldns, name, rdf);
	ldns->rdf_deep_free(rdf);
	return true;
}

/* `rdf` in presentation form.  A name is without the final dot and in lower case: by compression it
 * may share letters with the question, whose case is random. */
static struct mr_str
text_of(const struct mr_ldns *ldns, struct mr_arena *arena, const ldns_rdf *rdf)
{
	bool is_name = ldns->rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME;
	char *z = ldns->rdf2str(rdf);
	struct mr_str text = mr_str(z);

	text.n -= z && is_name;
	if (z)
		text = is_name ? mr_arena_lower(arena, text) : mr_arena_dup(arena, text);
	free(z);
	return text;
}

struct mr_str
mr_dns_name_text(const struct mr_ldns *ldns, struct mr_arena *arena, struct mr_str wire)
{
	ldns_rdf *rdf = ldns->rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, wire.n, wire.p);
	struct mr_str text = rdf ? text_of(ldns, arena, rdf) : (struct mr_str){ NULL, 0 };

	ldns->rdf_deep_free(rdf);
	return text;
}

/* ---- queries --------------------------------------------------------------------------------- */

/* RFC 6891 6.1.2: the root, OPT, our size; no flags, no data. */
static const uint8_t opt_record[] = { 0, 0, LDNS_RR_TYPE_OPT, MR_DNS_EDNS_SIZE >> 8,
	MR_DNS_EDNS_SIZE & 0xff, 0, 0, 0, 0, 0, 0 };

static uint8_t *
put16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
	return p + 2;
}

bool
mr_dns_query_make(struct mr_dns_query *q, struct mr_str name, enum mr_dns_type type, bool has_edns)
{
	uint8_t chance[2 + (MR_DNS_NAME_MAX + 7) / 8], *p = q->wire;

	if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return false;
	memset(p, 0, HEADER_LEN);
	memcpy(p, chance, 2);
	p[2] = FLAG_RD;
	p[3] = FLAG_AD; /* we understand AD in the answer: RFC 6840 5.7 */
	if (type == MR_DNS_SOA_UNCHECKED)
		p[3] |= FLAG_CD;
	p[5] = 1;
	p[11] = has_edns;
	p += HEADER_LEN;
	for (size_t i = 0; i < name.n; i++, p++) {
		*p = (uint8_t)name.p[i];
		if (*p >= 'a' && *p <= 'z' && chance[2 + i / 8] >> i % 8 & 1)
			*p &= 0xdf;
	}
	p = put16(p, MR_DNS_WIRE_TYPE(type));
	p = put16(p, LDNS_RR_CLASS_IN);
	q->question_n = (size_t)(p - q->wire) - HEADER_LEN;
	if (has_edns) {
		memcpy(p, opt_record, sizeof opt_record);
		p += sizeof opt_record;
	}
	q->n = (size_t)(p - q->wire);
	q->has_edns = has_edns;
	return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool
address_of(const struct mr_ldns *ldns, struct mr_ip *ip, const ldns_rdf *rdf)
{
	size_t len = ldns->rdf_size(rdf);

	*ip = (struct mr_ip){ .is_v6 = len == 16 };
	if (len != 4 && len != 16)
		return false;
	memcpy(ip->b, ldns->rdf_data(rdf), len);
	return true;
}

/* The strings of a TXT record, each with its length before it, as they are and joined (RFC 7208 3.3). */
static bool
txt_of(const struct mr_ldns *ldns, struct mr_dns_record *rec, struct mr_arena *arena,
    const ldns_rr *rr)
{
	size_t n = 0, raw_n = 0, len = 0;
	char *p, *raw;

	for (size_t i = 0; i < ldns->rr_rd_count(rr); i++)
		len += ldns->rdf_size(ldns->rr_rdf(rr, i));
	if (!(p = mr_arena_alloc(arena, len + 1)) || !(raw = mr_arena_alloc(arena, len + 1)))
		return false;
	for (size_t i = 0; i < ldns->rr_rd_count(rr); i++) {
		const ldns_rdf *s = ldns->rr_rdf(rr, i);
		size_t size = ldns->rdf_size(s);

		memcpy(p + n, ldns->rdf_data(s) + 1, size - 1);
		memcpy(raw + raw_n, ldns->rdf_data(s), size);
		n += size - 1;
		raw_n += size;
	}
	rec->text = (struct mr_str){ p, n };
	rec->strings = (struct mr_str){ raw, raw_n };
	return true;
}

/* All data in presentation form, blanks between. */
static bool
data_of(const struct mr_ldns *ldns, struct mr_str *text, struct mr_arena *arena, const ldns_rr *rr)
{
	struct mr_buf b;

	mr_buf_init(&b, DATA_MAX);
	for (size_t i = 0; i < ldns->rr_rd_count(rr); i++) {
		struct mr_str s = text_of(ldns, arena, ldns->rr_rdf(rr, i));

		if (i)
			mr_buf_addc(&b, ' ');
		mr_buf_add(&b, s);
		b.is_full |= !s.p;
	}
	*text = b.is_full ? (struct mr_str){ NULL, 0 } : mr_arena_dup(arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return text->p;
}

/* False: no memory, or data that is none of its type. */
static bool
record_of(const struct mr_ldns *ldns, struct mr_dns_record *rec, struct mr_arena *arena,
    const ldns_rr *rr)
{
	ldns_rr_type type = ldns->rr_get_type(rr);
	size_t count = ldns->rr_rd_count(rr);

	*rec = (struct mr_dns_record){ .ttl_s = ldns->rr_ttl(rr) };
	switch (type) {
	case LDNS_RR_TYPE_A:
	case LDNS_RR_TYPE_AAAA:
		return count == 1 && address_of(ldns, &rec->ip, ldns->rr_rdf(rr, 0))
		    && rec->ip.is_v6 == (type == LDNS_RR_TYPE_AAAA);
	case LDNS_RR_TYPE_TXT:
	case LDNS_RR_TYPE_SPF:
		return txt_of(ldns, rec, arena, rr);
	case LDNS_RR_TYPE_MX:
		if (count != 2)
			return false;
		rec->preference = ldns->rdf2native_int16(ldns->rr_rdf(rr, 0));
		return (rec->text = text_of(ldns, arena, ldns->rr_rdf(rr, 1))).p;
	default:
		return data_of(ldns, &rec->text, arena, rr);
	}
}

static bool
is_of(const struct mr_ldns *ldns, const ldns_rr *rr, const ldns_rdf *owner, unsigned type)
{
	return ldns->rr_get_type(rr) == type && ldns->rr_get_class(rr) == LDNS_RR_CLASS_IN
	    && ldns->dname_compare(ldns->rr_owner(rr), owner) == 0;
}

static const ldns_rdf *
target_of_cname(const struct mr_ldns *ldns, const ldns_rr_list *list, const ldns_rdf *owner)
{
	for (size_t i = 0; i < ldns->rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns->rr_list_rr(list, i);

		if (is_of(ldns, rr, owner, LDNS_RR_TYPE_CNAME) && ldns->rr_rd_count(rr) == 1)
			return ldns->rr_rdf(rr, 0);
	}
	return NULL;
}

/* All records of `owner`.  False: too many, no memory, or one that is broken. */
static bool
take_records(const struct mr_ldns *ldns, struct mr_dns_answer *a, struct mr_arena *arena,
    const ldns_rr_list *list, const ldns_rdf *owner, unsigned type)
{
	struct mr_dns_record *rec;
	size_t n = 0;

	for (size_t i = 0; i < ldns->rr_list_rr_count(list); i++)
		n += is_of(ldns, ldns->rr_list_rr(list, i), owner, type);
	if (n > MR_DNS_RECORD_MAX || !(rec = mr_arena_alloc(arena, n * sizeof *rec)))
		return false;
	for (size_t i = 0; a->n < n; i++)
		if (is_of(ldns, ldns->rr_list_rr(list, i), owner, type)
		    && !record_of(ldns, &rec[a->n++], arena, ldns->rr_list_rr(list, i)))
			return false;
	a->rec = rec;
	return true;
}

/* What a server says that was understood. */
static enum mr_dns_result
result_of(
    const struct mr_ldns *ldns, const ldns_pkt *pkt, const struct mr_dns_answer *a, bool has_chain)
{
	switch (ldns->pkt_get_rcode(pkt)) {
	case LDNS_RCODE_NOERROR:
		break;
	case LDNS_RCODE_NXDOMAIN:
		return MR_DNS_NXDOMAIN;
	case LDNS_RCODE_REFUSED:
		return MR_DNS_REFUSED;
	default:
		return MR_DNS_SERVFAIL;
	}
	if (a->n)
		return MR_DNS_FOUND;
	/* A referral, or half a chain, of a server that does not recurse, is no "there is none". */
	return !ldns->pkt_ra(pkt) && (!ldns->pkt_aa(pkt) || has_chain) ? MR_DNS_REFUSED
	                                                               : MR_DNS_NODATA;
}

static void
take_answer(const struct mr_ldns *ldns, struct mr_dns_answer *a, struct mr_arena *arena,
    const ldns_pkt *pkt, unsigned type)
{
	const ldns_rr_list *list = ldns->pkt_answer(pkt);
	const ldns_rdf *first = ldns->rr_owner(ldns->rr_list_rr(ldns->pkt_question(pkt), 0));
	const ldns_rdf *owner = first, *target;

	if (type != MR_DNS_CNAME)
		for (unsigned links = 0; (target = target_of_cname(ldns, list, owner));
		     owner = target, a->links = links)
			if (links++ == MR_DNS_CNAME_MAX)
				return;
	if (ldns->pkt_get_rcode(pkt) == LDNS_RCODE_NOERROR
	    && !take_records(ldns, a, arena, list, owner, type))
		return;
	if ((a->canonical = text_of(ldns, arena, owner)).p)
		a->result = result_of(ldns, pkt, a, owner != first);
}

/* Type and class to the byte, the name but for the case of its letters. */
static bool
is_question(const struct mr_dns_query *q, const uint8_t *p)
{
	const uint8_t *want = q->wire + HEADER_LEN;
	size_t n = q->question_n - 4;

	return mr_str_caseeq(
	           (struct mr_str){ (const char *)p, n }, (struct mr_str){ (const char *)want, n })
	    && memcmp(p + n, want + n, 4) == 0;
}

enum mr_dns_reading
mr_dns_wire_read(const struct mr_ldns *ldns, struct mr_dns_answer *a, struct mr_arena *arena,
    const struct mr_dns_query *q, enum mr_dns_type type, bool is_tcp, struct mr_str packet)
{
	const uint8_t *p = (const uint8_t *)packet.p, *question = p + HEADER_LEN;
	struct mr_dns_answer broken = { .result = MR_DNS_BROKEN };
	ldns_pkt *pkt = NULL;
	bool is_bad_version;
	unsigned rcode;

	*a = broken;
	if (packet.n < HEADER_LEN || memcmp(p, q->wire, 2) != 0 || !(p[2] & FLAG_QR)
	    || p[2] & OPCODE_MASK)
		return MR_DNS_READ_FOREIGN;
	rcode = p[3] & RCODE_MASK;
	/* A server that does not know OPT may not even repeat the question. */
	if (q->has_edns && (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL))
		return MR_DNS_READ_NO_EDNS;
	if (p[4] != 0 || p[5] != 1 || packet.n - HEADER_LEN < q->question_n
	    || !is_question(q, question))
		return MR_DNS_READ_FOREIGN;
	if (!is_tcp
	    && (p[2] & FLAG_TC || memcmp(question, q->wire + HEADER_LEN, q->question_n) != 0)) {
		a->is_truncated = p[2] & FLAG_TC;
		return MR_DNS_READ_BY_TCP;
	}
	if (ldns->wire2pkt(&pkt, p, packet.n) != LDNS_STATUS_OK)
		return MR_DNS_READ;
	is_bad_version = ldns->pkt_edns_extended_rcode(pkt) != 0;
	if (is_bad_version)
		a->result = MR_DNS_SERVFAIL;
	else
		take_answer(ldns, a, arena, pkt, MR_DNS_WIRE_TYPE(type));
	ldns->pkt_free(pkt);
	if (a->result == MR_DNS_BROKEN)
		*a = broken;
	a->is_authentic = p[3] & FLAG_AD;
	a->size = packet.n;
	return is_bad_version && q->has_edns ? MR_DNS_READ_NO_EDNS : MR_DNS_READ;
}

/* ---- lines of a fixture ---------------------------------------------------------------------- */

static enum mr_status
line_of(const struct mr_ldns *ldns, struct mr_dns_line *line, struct mr_arena *arena,
    const ldns_rr *rr, struct mr_err *err)
{
	const ldns_rdf *owner = ldns->rr_owner(rr);

	/* A line that begins with a blank, and no name before it; a name too long for the wire. */
	if (!owner || ldns->rdf_size(owner) > MR_DNS_NAME_MAX)
		return mr_err_set(err, MR_PERM, "no name, or one that is too long");
	lower(ldns, &line->owner, owner);
	line->type = ldns->rr_get_type(rr);
	line->target.n = 0;
	if (line->type == MR_DNS_CNAME && ldns->rr_rd_count(rr) == 1
	    && ldns->rdf_size(ldns->rr_rdf(rr, 0)) <= MR_DNS_NAME_MAX)
		lower(ldns, &line->target, ldns->rr_rdf(rr, 0));
	return line->type && record_of(ldns, &line->rec, arena, rr)
	    ? MR_OK /* 0: ldns knows no such word */
	    : mr_err_set(err, MR_PERM, "no such type, or no data of it");
}

enum mr_status
mr_dns_line_parse(const struct mr_ldns *ldns, struct mr_dns_line *line, struct mr_arena *arena,
    struct mr_str text, struct mr_err *err)
{
	ldns_rdf *root = ldns->dname_new_frm_str(".");
	struct mr_str z = mr_arena_dup(arena, text);
	enum mr_status st;
	ldns_rr *rr = NULL;
	ldns_status ls = z.p ? ldns->rr_new_frm_str(&rr, z.p, 0, root, NULL) : LDNS_STATUS_MEM_ERR;

	ldns->rdf_deep_free(root);
	if (ls != LDNS_STATUS_OK)
		return mr_err_set(err, ls == LDNS_STATUS_MEM_ERR ? MR_TEMP : MR_PERM, "%s",
		    ldns->get_errorstr_by_id(ls));
	st = line_of(ldns, line, arena, rr, err);
	ldns->rr_free(rr);
	return st;
}

/* The next record, or what is none: *rr is NULL. */
static enum mr_status
zone_next(const struct mr_ldns *ldns, ldns_rr **rr, FILE *f, uint32_t *ttl, ldns_rdf **origin,
    ldns_rdf **prev, int *line_n, struct mr_err *err)
{
	ldns_status ls = ldns->rr_new_frm_fp_l(rr, f, ttl, origin, prev, line_n);

	switch (ls) {
	case LDNS_STATUS_OK:
		return MR_OK;
	case LDNS_STATUS_SYNTAX_EMPTY:
	case LDNS_STATUS_SYNTAX_TTL:
	case LDNS_STATUS_SYNTAX_ORIGIN:
		*rr = NULL;
		return MR_OK;
	default:
		*rr = NULL;
		return mr_err_set(
		    err, MR_PERM, "line %d: %s", *line_n, ldns->get_errorstr_by_id(ls));
	}
}

enum mr_status
mr_dns_zone_read(const struct mr_ldns *ldns, struct mr_str text, const char *origin,
    struct mr_arena *arena,
    enum mr_status (*take)(void *ctx, const struct mr_dns_line *line, struct mr_err *err),
    void *ctx, struct mr_err *err)
{
	struct mr_str z = mr_arena_dup(arena, text);
	ldns_rdf *name = ldns->dname_new_frm_str(origin && origin[0] ? origin : "."), *prev = NULL;
	uint32_t ttl = ZONE_TTL_S;
	enum mr_status st = MR_OK;
	struct mr_dns_line line;
	int line_n = 0;
	FILE *f = NULL;
	char *p;

	memcpy(&p, &z.p, sizeof p);
	if (text.n == 0)
		st = mr_err_set(err, MR_PERM, "it is empty");
	else if (!name)
		st = mr_err_set(err, MR_PERM, "'%s' is no domain name", origin ? origin : "");
	else if (!p || !(f = fmemopen(p, z.n, "r")))
		st = mr_err_set(err, MR_TEMP, "out of memory");
	while (st == MR_OK && !feof(f)) {
		ldns_rr *rr;

		st = zone_next(ldns, &rr, f, &ttl, &name, &prev, &line_n, err);
		if (st == MR_OK && rr && (st = line_of(ldns, &line, arena, rr, err)) == MR_OK)
			st = take(ctx, &line, err);
		if (rr)
			ldns->rr_free(rr);
	}
	if (f)
		fclose(f);
	ldns->rdf_deep_free(name);
	ldns->rdf_deep_free(prev);
	return st;
}
