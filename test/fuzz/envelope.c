/* envelope.c - records: what is read and written is read again as the same, and written the same. */
#include "mail/envelope.h"

#include "fuzz.h"

static void
same_attrs(const struct mr_attrs *a, const struct mr_attrs *b)
{
	must(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		must(mr_str_eq(a->v[i].name, b->v[i].name));
		must(mr_str_eq(a->v[i].value, b->v[i].value));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_arena arena;
	struct mr_env env, again;
	struct mr_buf out, out2;
	size_t used = 0, used2 = 0;

	mr_arena_init(&arena, 16 << 20);
	mr_buf_init(&out, MR_ENV_MAX);
	mr_buf_init(&out2, MR_ENV_MAX);
	mr_env_init(&env, &arena);
	mr_env_init(&again, &arena);
	if (mr_env_parse(&env, s, &used, NULL) == MR_OK) {
		must(used <= s.n && (used == s.n || s.p[used - 1] == '\n'));
		mr_env_write(&env, &out);
		must(!out.is_full && !memchr(mr_buf_str(&out).p, '\0', out.n)
		    && !memchr(mr_buf_str(&out).p, '\r', out.n));
		must(mr_env_parse(&again, mr_buf_str(&out), &used2, NULL) == MR_OK
		    && used2 == out.n);
		must(env.rcpt_n == again.rcpt_n);
		same_attrs(&env.attrs, &again.attrs);
		for (size_t i = 0; i < env.rcpt_n; i++) {
			must(mr_str_eq(env.rcpt[i].addr, again.rcpt[i].addr));
			same_attrs(&env.rcpt[i].attrs, &again.rcpt[i].attrs);
		}
		mr_env_write(&again, &out2);
		must(mr_str_eq(mr_buf_str(&out), mr_buf_str(&out2)));
	}
	mr_buf_free(&out);
	mr_buf_free(&out2);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
