/* message.c - a message as a file: fields and body hold all its bytes but line ends, every line of the body
 * ends in CRLF, and reading what was read gives the same once more. */
#include "mail/message.h"

#include "base/child.h"
#include "fuzz.h"

#include <unistd.h>

#define FIELD_MAX 4096u

static void
read_all(struct mr_str file, struct mr_buf *header, struct mr_buf *body, struct mr_message *m)
{
	int fd = mr_child_memfile(file);
	struct mr_message_field f;
	struct mr_str piece;
	struct mr_err err;

	must(fd >= 0 && mr_message_open(m, fd, FIELD_MAX, &err) == MR_OK);
	while (mr_message_next(m, &f, &err) == MR_OK) {
		must(f.text.n <= FIELD_MAX
		    && (f.is_cut || f.text.n < FIELD_MAX || f.text.n == FIELD_MAX));
		mr_buf_add(header, f.text);
		mr_buf_adds(header, "\r\n");
	}
	while (mr_message_body(m, &piece, &err) == MR_OK) {
		must(piece.n > 0);
		mr_buf_add(body, piece);
	}
	mr_message_close(m);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), b;
	struct mr_buf header, body, file, header2, body2;
	struct mr_message m, m2;

	if (size > 60000) {
		fuzz_free(s);
		return 0;
	}
	mr_buf_init(&header, 1u << 20);
	mr_buf_init(&body, 1u << 20);
	mr_buf_init(&file, 1u << 20);
	mr_buf_init(&header2, 1u << 20);
	mr_buf_init(&body2, 1u << 20);
	read_all(s, &header, &body, &m);
	b = mr_buf_str(&body);
	for (size_t i = 0; i < b.n; i++)
		must(b.p[i] != '\n' || (i && b.p[i - 1] == '\r'));
	must(b.n == 0 || b.p[b.n - 1] == '\n');
	/* A "From " line is not there the second time; a field that is no field any more without it is. */
	if (!mr_str_starts(mr_buf_str(&header), "From ") && header.n) {
		mr_buf_add(&file, mr_buf_str(&header));
		mr_buf_adds(&file, "\r\n");
		mr_buf_add(&file, b);
		read_all(mr_buf_str(&file), &header2, &body2, &m2);
		must(mr_str_eq(mr_buf_str(&header), mr_buf_str(&header2)));
		must(mr_str_eq(b, mr_buf_str(&body2)));
	}
	mr_buf_free(&header);
	mr_buf_free(&body);
	mr_buf_free(&file);
	mr_buf_free(&header2);
	mr_buf_free(&body2);
	fuzz_free(s);
	return 0;
}
