#include "check/dmarc_record.h"

/* What is remembered of a record while it is read. */
struct reading {
	struct mr_dmarc_record *r;
	bool has_p;
	bool is_p_wrong; /* a policy tag has a value that is none */
	unsigned seen;   /* bits of tags[] */
};

const char *
mr_dmarc_policy_word(enum mr_dmarc_policy policy)
{
	static const char *const words[] = { "none", "quarantine", "reject" };

	return words[policy];
}

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- values --------------------------------------------------------------------------------------- */

static bool
policy_value(struct reading *g, enum mr_dmarc_policy *policy, struct mr_str v)
{
	for (int i = MR_DMARC_NONE; i <= MR_DMARC_REJECT; i++) {
		if (mr_str_caseis(v, mr_dmarc_policy_word((enum mr_dmarc_policy)i))) {
			*policy = (enum mr_dmarc_policy)i;
			return true;
		}
	}
	g->is_p_wrong = true;
	return false;
}

static void
take_p(struct reading *g, struct mr_str v)
{
	g->has_p = policy_value(g, &g->r->p, v);
}

static void
take_sp(struct reading *g, struct mr_str v)
{
	g->r->has_sp = policy_value(g, &g->r->sp, v);
}

static void
take_np(struct reading *g, struct mr_str v)
{
	g->r->has_np = policy_value(g, &g->r->np, v);
}

static void
take_adkim(struct reading *g, struct mr_str v)
{
	g->r->is_adkim_strict = mr_str_caseis(v, "s");
}

static void
take_aspf(struct reading *g, struct mr_str v)
{
	g->r->is_aspf_strict = mr_str_caseis(v, "s");
}

static void
take_pct(struct reading *g, struct mr_str v)
{
	uint64_t n;

	if (mr_str_num(v, 100, &n))
		g->r->pct = (unsigned)n;
}

static void
take_t(struct reading *g, struct mr_str v)
{
	g->r->is_test = mr_str_caseis(v, "y");
}

static void
take_psd(struct reading *g, struct mr_str v)
{
	g->r->psd = mr_str_caseis(v, "y") ? MR_DMARC_PSD_Y
	    : mr_str_caseis(v, "n")       ? MR_DMARC_PSD_N
	                                  : MR_DMARC_PSD_U;
}

static void
take_fo(struct reading *g, struct mr_str v)
{
	g->r->fo = v;
}

/* True for "scheme:something" of the characters of a URI (RFC 3986); a size may stand behind '!'. */
static bool
is_uri(struct mr_str s)
{
	ptrdiff_t colon = mr_str_chr(s, ':');

	if (colon <= 0 || (size_t)colon + 1 == s.n || mr_lower((unsigned char)s.p[0]) < 'a'
	    || mr_lower((unsigned char)s.p[0]) > 'z')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int c = mr_lower((unsigned char)s.p[i]);
		bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (i < (size_t)colon ? !is_alnum && c != '+' && c != '-' && c != '.'
		                      : c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>')
			return false;
	}
	return true;
}

static void
take_rua(struct reading *g, struct mr_str v)
{
	struct mr_str rest = v, uri;

	while (mr_str_split(&rest, ',', &uri))
		if (is_uri(mr_str_trim(uri)))
			g->r->rua = v;
}

static const struct {
	const char *name;
	void (*take)(struct reading *g, struct mr_str value);
} tags[] = {
	{ "p", take_p },
	{ "sp", take_sp },
	{ "np", take_np },
	{ "adkim", take_adkim },
	{ "aspf", take_aspf },
	{ "pct", take_pct },
	{ "t", take_t },
	{ "psd", take_psd },
	{ "fo", take_fo },
	{ "rua", take_rua },
};

/* ---- the record ----------------------------------------------------------------------------------- */

/* "v" *WSP "=" *WSP "DMARC1", then the end or a ';'; *rest is what is behind. */
static bool
take_version(struct mr_str text, struct mr_str *rest)
{
	struct mr_str name, value;

	if (text.n == 0 || text.n > MR_DMARC_RECORD_MAX || is_wsp(text.p[0]))
		return false;
	mr_str_split(&text, ';', &value);
	*rest = text;
	return mr_str_split(&value, '=', &name) && mr_str_caseis(mr_str_trim(name), "v")
	    && mr_str_is(mr_str_trim(value), "DMARC1");
}

bool
mr_dmarc_is_record(struct mr_str text)
{
	struct mr_str rest;

	return take_version(text, &rest);
}

static void
take_tag(struct reading *g, struct mr_str tag)
{
	struct mr_str value = tag, name;

	if (!mr_str_split(&value, '=', &name) || !value.p)
		return;
	name = mr_str_trim(name);
	value = mr_str_trim(value);
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
		if (!mr_str_caseis(name, tags[i].name) || g->seen & 1u << i)
			continue;
		g->seen |= 1u << i;
		tags[i].take(g, value);
	}
}

enum mr_status
mr_dmarc_record_parse(struct mr_dmarc_record *r, struct mr_str text, struct mr_err *err)
{
	struct reading g = { .r = r };
	struct mr_str rest, tag;

	*r = (struct mr_dmarc_record){ .pct = 100 };
	if (!take_version(text, &rest))
		return mr_err_set(err, MR_PERM, "does not begin with v=DMARC1");
	while (mr_str_split(&rest, ';', &tag))
		take_tag(&g, tag);
	if (!g.has_p || g.is_p_wrong) {
		r->p = MR_DMARC_NONE;
		r->has_sp = r->has_np = false;
	}
	if (!r->has_sp)
		r->sp = r->p;
	if (!r->has_np)
		r->np = r->sp;
	if ((!g.has_p || g.is_p_wrong) && !r->rua.p)
		return mr_err_set(err, MR_PERM, "%s, and no rua",
		    g.is_p_wrong ? "a policy that is none" : "no policy");
	return MR_OK;
}
