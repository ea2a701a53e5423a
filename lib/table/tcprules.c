#include "table/tcprules.h"

#include "mail/addr.h"

enum mr_status
mr_tcprules_get(const struct mr_table *table, struct mr_str key, struct mr_tcprule *rule)
{
	struct mr_str value, piece;
	enum mr_status st = mr_table_get(table, key, &value);

	if (st)
		return st;
	/* "D\0" denies, "+NAME=value\0" sets a variable. */
	*rule = (struct mr_tcprule){ .key = key };
	while (mr_str_split(&value, '\0', &piece)) {
		rule->is_deny |= mr_str_starts(piece, "D");
		rule->is_relayclient |= mr_str_starts(piece, "+RELAYCLIENT=");
	}
	rule->is_relayclient &= !rule->is_deny;
	return MR_OK;
}

/* The rules for parts of `ip` that end in a dot, longest first. */
static enum mr_status
find_prefix(const struct mr_table *table, struct mr_str ip, struct mr_tcprule *rule)
{
	enum mr_status st = MR_NOTFOUND;

	for (size_t n = ip.n; st == MR_NOTFOUND && n > 0; n--)
		if (ip.p[n - 1] == '.')
			st = mr_tcprules_get(table, (struct mr_str){ ip.p, n }, rule);
	return st;
}

/* The rules for what is below a parent of the name, nearest first; then "=".  `eq` is "=name". */
static enum mr_status
find_suffix(
    const struct mr_table *table, struct mr_arena *arena, struct mr_str eq, struct mr_tcprule *rule)
{
	enum mr_status st = MR_NOTFOUND;

	for (size_t i = 1; st == MR_NOTFOUND && i < eq.n; i++) {
		struct mr_str key;

		if (eq.p[i] != '.')
			continue;
		key = mr_arena_fmt(arena, "=%.*s", (int)(eq.n - i), eq.p + i);
		st = key.p ? mr_tcprules_get(table, key, rule) : MR_TEMP;
	}
	return st == MR_NOTFOUND ? mr_tcprules_get(table, MR_STR("="), rule) : st;
}

enum mr_status
mr_tcprules_find(const struct mr_table *table, struct mr_arena *arena, const struct mr_ip *ip,
    struct mr_str name, struct mr_tcprule *rule)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_str addr = MR_STR(""), eq = MR_STR("");
	enum mr_status st = MR_NOTFOUND;

	if (ip && !(addr = mr_arena_dup(arena, mr_ip_text(storage, ip))).p)
		return MR_TEMP;
	if (name.n && name.n <= MR_DOMAIN_MAX) {
		eq = mr_arena_fmt(arena, "=%.*s", (int)name.n, name.p);
		if (!eq.p || !(eq = mr_arena_lower(arena, eq)).p)
			return MR_TEMP;
	}
	if (addr.n)
		st = mr_tcprules_get(table, addr, rule);
	if (st == MR_NOTFOUND && eq.n)
		st = mr_tcprules_get(table, eq, rule);
	if (st == MR_NOTFOUND)
		st = find_prefix(table, addr, rule);
	if (st == MR_NOTFOUND && eq.n)
		st = find_suffix(table, arena, eq, rule);
	if (st == MR_NOTFOUND)
		st = mr_tcprules_get(table, MR_STR(""), rule);
	return st;
}
