#include "mail/envelope.h"

void
mr_env_init(struct mr_env *env, struct mr_arena *arena)
{
	*env = (struct mr_env){ .arena = arena };
}

static bool
is_name(struct mr_str s)
{
	if (s.n == 0 || s.n > MR_ENV_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

bool
mr_env_is_rcpt_attr(struct mr_str name)
{
	return mr_str_is(name, "original_recipient") || mr_str_is(name, "dsn_orcpt")
	    || mr_str_is(name, "dsn_notify");
}

static struct mr_attr *
find(const struct mr_attrs *attrs, struct mr_str name)
{
	for (size_t i = 0; i < attrs->n; i++)
		if (mr_str_eq(attrs->v[i].name, name))
			return &attrs->v[i];
	return NULL;
}

struct mr_str
mr_attrs_get(const struct mr_attrs *attrs, const char *name)
{
	const struct mr_attr *a = find(attrs, mr_str(name));

	return a ? a->value : (struct mr_str){ NULL, 0 };
}

struct mr_str
mr_env_get(const struct mr_env *env, const char *name)
{
	if (mr_str_is(mr_str(name), "recipient"))
		return env->rcpt_n ? env->rcpt[0].addr : (struct mr_str){ NULL, 0 };
	return mr_attrs_get(&env->attrs, name);
}

static enum mr_status
check_value(struct mr_str name, struct mr_str value, struct mr_err *err)
{
	if (name.n + 1 + value.n > MR_ENV_LINE_MAX)
		return mr_err_set(err, MR_PERM, "%.*s: value over %u bytes", (int)name.n, name.p,
		    MR_ENV_LINE_MAX);
	if (!mr_str_is_line(value))
		return mr_err_set(
		    err, MR_PERM, "%.*s: NUL, CR or LF in the value", (int)name.n, name.p);
	return MR_OK;
}

enum mr_status
mr_attrs_set(struct mr_attrs *attrs, struct mr_arena *arena, struct mr_str name,
    struct mr_str value, struct mr_err *err)
{
	struct mr_attr *a;
	enum mr_status st;

	if (!is_name(name))
		return mr_err_set(err, MR_PERM, "not an attribute name: '%.*s'",
		    (int)(name.n < MR_ENV_NAME_MAX ? name.n : MR_ENV_NAME_MAX), name.p);
	if ((st = check_value(name, value, err)))
		return st;
	value = mr_arena_dup(arena, value);
	if (!value.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	a = find(attrs, name);
	if (!a) {
		if (attrs->n >= MR_ENV_ATTR_MAX)
			return mr_err_set(err, MR_PERM, "more than %u attributes", MR_ENV_ATTR_MAX);
		name = mr_arena_dup(arena, name);
		if (!name.p || !mr_arena_grow(arena, &attrs->v, attrs->n, &attrs->cap, sizeof *a))
			return mr_err_set(err, MR_TEMP, "out of memory");
		a = &attrs->v[attrs->n++];
		a->name = name;
	}
	a->value = value;
	return MR_OK;
}

enum mr_status
mr_env_set(struct mr_env *env, struct mr_str name, struct mr_str value, struct mr_err *err)
{
	if (mr_str_is(name, "recipient"))
		return mr_err_set(err, MR_PERM, "recipient is no attribute of the message");
	return mr_attrs_set(&env->attrs, env->arena, name, value, err);
}

enum mr_status
mr_env_add_rcpt(struct mr_env *env, struct mr_str addr, struct mr_err *err)
{
	enum mr_status st = check_value(MR_STR("recipient"), addr, err);

	if (st)
		return st;
	if (env->rcpt_n >= MR_ENV_RCPT_MAX)
		return mr_err_set(err, MR_PERM, "more than %u recipients", MR_ENV_RCPT_MAX);
	addr = mr_arena_dup(env->arena, addr);
	if (!addr.p
	    || !mr_arena_grow(
	        env->arena, &env->rcpt, env->rcpt_n, &env->rcpt_cap, sizeof *env->rcpt))
		return mr_err_set(err, MR_TEMP, "out of memory");
	env->rcpt[env->rcpt_n++] = (struct mr_rcpt){ .addr = addr };
	return MR_OK;
}

enum mr_status
mr_env_copy_rcpt(
    struct mr_env *env, struct mr_str addr, const struct mr_rcpt *from, struct mr_err *err)
{
	enum mr_status st = mr_env_add_rcpt(env, addr, err);

	for (size_t i = 0; st == MR_OK && i < from->attrs.n; i++)
		st = mr_attrs_set(&env->rcpt[env->rcpt_n - 1].attrs, env->arena,
		    from->attrs.v[i].name, from->attrs.v[i].value, err);
	return st;
}

bool
mr_env_has_rcpt(const struct mr_env *env, struct mr_str addr)
{
	for (size_t i = 0; i < env->rcpt_n; i++)
		if (mr_str_eq(env->rcpt[i].addr, addr))
			return true;
	return false;
}

enum mr_status
mr_env_add_line(struct mr_env *env, struct mr_str line, struct mr_err *err)
{
	ptrdiff_t eq = mr_str_chr(line, '=');
	struct mr_str name, value;

	if (eq < 0)
		return mr_err_set(err, MR_PERM, "no '=' in the line");
	name = (struct mr_str){ line.p, (size_t)eq };
	value = mr_str_from(line, (size_t)eq + 1);
	if (mr_str_is(name, "recipient"))
		return mr_env_add_rcpt(env, value, err);
	if (env->rcpt_n && mr_env_is_rcpt_attr(name))
		return mr_attrs_set(
		    &env->rcpt[env->rcpt_n - 1].attrs, env->arena, name, value, err);
	return mr_env_set(env, name, value, err);
}

enum mr_status
mr_env_parse(struct mr_env *env, struct mr_str text, size_t *used, struct mr_err *err)
{
	struct mr_str rest = text, line;
	size_t line_no = 0;

	while (mr_str_split(&rest, '\n', &line)) {
		struct mr_err why;
		enum mr_status st;

		line_no++;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		if ((size_t)(line.p - text.p) + line.n >= MR_ENV_MAX)
			return mr_err_set(err, MR_PERM, "record over %u bytes", MR_ENV_MAX);
		if ((st = mr_env_add_line(env, line, &why)))
			return mr_err_set(err, st, "line %zu: %s", line_no, why.text);
	}
	*used = rest.p ? (size_t)(rest.p - text.p) : text.n;
	return MR_OK;
}

enum mr_status
mr_env_read(struct mr_env *env, struct mr_reader *in, int64_t deadline_ms, struct mr_err *err)
{
	int64_t start = in->total - (int64_t)mr_reader_window(in).n;

	for (size_t line_no = 1;; line_no++) {
		struct mr_str line;
		struct mr_err why;
		enum mr_status st = mr_reader_line(in, &line, deadline_ms, err);

		if (st == MR_NOTFOUND && line_no > 1)
			return mr_err_set(err, MR_PERM, "input ended within a record");
		if (st)
			return st;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			return MR_OK;
		if (in->total - (int64_t)mr_reader_window(in).n - start > MR_ENV_MAX)
			return mr_err_set(err, MR_PERM, "record over %u bytes", MR_ENV_MAX);
		if ((st = mr_env_add_line(env, line, &why)))
			return mr_err_set(err, st, "line %zu: %s", line_no, why.text);
	}
}

enum mr_status
mr_env_read_fd(struct mr_env *env, int fd, struct mr_err *err)
{
	struct mr_reader in;
	enum mr_status st = mr_reader_init(&in, fd, MR_ENV_LINE_MAX + 2, err);

	if (st == MR_OK)
		st = mr_env_read(env, &in, MR_NO_DEADLINE, err);
	mr_reader_free(&in);
	return st;
}

enum mr_status
mr_env_join(struct mr_env *to, const struct mr_env *from, struct mr_err *err)
{
	for (size_t i = 0; i < from->attrs.n; i++) {
		struct mr_attr *a = find(&to->attrs, from->attrs.v[i].name);

		if (!a) {
			if (to->attrs.n >= MR_ENV_ATTR_MAX)
				return mr_err_set(
				    err, MR_PERM, "more than %u attributes", MR_ENV_ATTR_MAX);
			if (!mr_arena_grow(
			        to->arena, &to->attrs.v, to->attrs.n, &to->attrs.cap, sizeof *a))
				return mr_err_set(err, MR_TEMP, "out of memory");
			a = &to->attrs.v[to->attrs.n++];
		}
		*a = from->attrs.v[i];
	}
	return MR_OK;
}

static void
write_attrs(const struct mr_attrs *attrs, struct mr_buf *out)
{
	for (size_t i = 0; i < attrs->n; i++) {
		mr_buf_add(out, attrs->v[i].name);
		mr_buf_addc(out, '=');
		mr_buf_add(out, attrs->v[i].value);
		mr_buf_addc(out, '\n');
	}
}

void
mr_env_write(const struct mr_env *env, struct mr_buf *out)
{
	write_attrs(&env->attrs, out);
	for (size_t i = 0; i < env->rcpt_n; i++) {
		mr_buf_adds(out, "recipient=");
		mr_buf_add(out, env->rcpt[i].addr);
		mr_buf_addc(out, '\n');
		write_attrs(&env->rcpt[i].attrs, out);
	}
	mr_buf_addc(out, '\n');
}
