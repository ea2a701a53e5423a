/* spf_draft.h - an SPF record that is being mended: its terms, read leniently out of what people publish. */
#ifndef MR_CHECK_SPF_DRAFT_H
#define MR_CHECK_SPF_DRAFT_H

#include "base/arena.h"
#include "check/spf_record.h"

#define MR_SPF_DRAFT_MAX 256u /* terms */

struct mr_spf_draft {
	struct mr_str term[MR_SPF_DRAFT_MAX]; /* each one parses; no "all", no redirect */
	size_t n;
	char all;               /* qualifier of the strictest "all"; '\0': there is none */
	struct mr_str redirect; /* the whole term, if there is no "all"; p NULL: none */
};

/* True if `text` is not an SPF record (mr_spf_is_record, no quotes in it), but was meant to be one:
 * "v=spfl", "v=spf 1", "spf1 ", quotes around it. */
bool mr_spf_is_like(struct mr_str text);

/* True if quotes or backslashes of a zone file stand in the data. */
bool mr_spf_has_quotes(struct mr_str text);

/* Adds the terms of `text`, a record or like one, as far as they count (none behind "all"): quotes,
 * commas and blanks that do not belong there are left out, known misspellings put right.  MR_PERM: a term
 * cannot be guessed, with the reason; MR_TEMP: no memory. */
enum mr_status mr_spf_draft_add(
    struct mr_spf_draft *draft, struct mr_str text, struct mr_arena *arena, struct mr_err *err);

/* Adds one term that parses, unless it is there; one too many is dropped. */
void mr_spf_draft_term(struct mr_spf_draft *draft, struct mr_str term);
/* The same in front of the term `at`, also one that is there further on.  False: it is there before. */
bool mr_spf_draft_insert(struct mr_spf_draft *draft, size_t at, struct mr_str term);
void mr_spf_draft_drop(struct mr_spf_draft *draft, size_t i);

/* The record; p NULL when there is no memory. */
struct mr_str mr_spf_draft_text(const struct mr_spf_draft *draft, struct mr_arena *arena);

/* Finds blanks that were lost where a TXT record is split: a string ends with a whole term, the next begins
 * with one, and joined (RFC 7208 3.3) they are another term or none.  `strings`: each with its length
 * before it.  *text: all joined, with the blanks; *joined: the first term that came of a lost one; p NULL:
 * none was.  MR_TEMP: no memory. */
enum mr_status mr_spf_join(struct mr_str *text, struct mr_str *joined, struct mr_str strings,
    struct mr_arena *arena, struct mr_err *err);

#endif
