/* The replies of a hostile SMTP server: whatever it says, what we keep is one printable line. */
#include "smtp/reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct mr_str rest = { copy, size }, line, words;
	struct mr_reply r = { .code = 0 };

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	while (mr_str_split(&rest, '\n', &line)) {
		enum mr_status st = mr_reply_add(&r, line, &words, NULL);
		struct mr_str text = mr_reply_text(&r);

		if (st == MR_PERM) {
			r.code = 0;
			continue;
		}
		if (r.code < 200 || r.code > 599 || r.line_n > MR_REPLY_LINES_MAX
		    || text.n > MR_REPLY_TEXT_MAX || strlen(r.status) >= sizeof r.status
		    || (r.status[0] && r.status[0] != r.text[0]))
			abort();
		for (size_t i = 0; i < text.n; i++)
			if (text.p[i] < ' ' || text.p[i] > '~')
				abort();
		if (st == MR_OK)
			r.code = 0;
	}
	free(copy);
	return 0;
}
