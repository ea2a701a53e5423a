/* kv.c - words of a line: any value is written as printable ASCII and read back; what is read from
 * any line is written and read as the same. */
#include "base/kv.h"

#include "fuzz.h"

#define LINE_MAX_N (1u << 20)

static void
round_trip(struct mr_str name, struct mr_str value)
{
	char cname[LINE_MAX_N / 1024];
	struct mr_buf line, back;
	struct mr_str rest, name2;

	if (name.n >= sizeof cname || memchr(name.p, '\0', name.n))
		return;
	memcpy(cname, name.p, name.n);
	cname[name.n] = '\0';
	mr_buf_init(&line, LINE_MAX_N);
	mr_buf_init(&back, LINE_MAX_N);
	mr_kv_add(&line, cname, value);
	mr_kv_add(&line, "next", value);
	must(!line.is_full);
	for (size_t i = 0; mr_str_is(name, "name") && i < line.n; i++)
		must(line.p[i] >= ' ' && line.p[i] <= '~');
	rest = mr_buf_str(&line);
	must(mr_kv_next(&rest, &name2, &back) && mr_str_eq(name, name2));
	must(mr_str_eq(mr_buf_str(&back), value));
	must(mr_kv_next(&rest, &name2, &back) && mr_str_is(name2, "next"));
	must(mr_str_eq(mr_buf_str(&back), value) && rest.n == 0);
	mr_buf_free(&line);
	mr_buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), rest = s, name;
	struct mr_buf value;

	if (size < 100000) {
		mr_buf_init(&value, LINE_MAX_N);
		round_trip(MR_STR("name"), s);
		while (mr_kv_next(&rest, &name, &value)) {
			must(name.p >= s.p && name.p + name.n < s.p + s.n && rest.n < s.n);
			round_trip(name, mr_buf_str(&value));
		}
		must(rest.n <= s.n);
		mr_buf_free(&value);
	}
	fuzz_free(s);
	return 0;
}
