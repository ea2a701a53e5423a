/* from.c - a message whose From fields are read: domains are valid, different, in lower case and ASCII, and
 * within the limits; the text of one field says the same alone. */
#include "mail/from.h"

#include "fuzz.h"
#include "mail/addr.h"
#include "mail/message.h"

#include <sys/mman.h>
#include <unistd.h>

static int file_fd = -1;

static void
check_domains(const struct mr_from *from)
{
	must(from->n <= MR_FROM_DOMAIN_MAX);
	for (size_t i = 0; i < from->n; i++) {
		struct mr_str d = from->domain[i];

		must(mr_domain_is_valid(d));
		for (size_t k = 0; k < d.n; k++)
			must((unsigned char)d.p[k] < 0x80
			    && mr_lower((unsigned char)d.p[k]) == d.p[k]);
		for (size_t k = 0; k < i; k++)
			must(!mr_str_eq(d, from->domain[k]));
	}
}

/* The same, field by field. */
static void
check_fields(struct mr_arena *arena, const struct mr_from *all, enum mr_status st)
{
	struct mr_from sum = { .n = 0 };
	struct mr_message_field f;
	struct mr_message m;
	bool is_wrong = false;
	unsigned field_n = 0;

	must(lseek(file_fd, 0, SEEK_SET) == 0);
	must(mr_message_open(&m, file_fd, MR_FROM_BYTES_MAX, NULL) == MR_OK);
	while (mr_message_next(&m, &f, NULL) == MR_OK) {
		struct mr_from one = { .n = 0 };
		struct mr_str value;

		if (!mr_str_caseis(f.name, "From"))
			continue;
		value = mr_str_from(f.text, (size_t)mr_str_chr(f.text, ':') + 1);
		mr_from_add(&one, arena, value, NULL);
		check_domains(&one);
		if (field_n++ == MR_FROM_FIELD_MAX || f.is_cut
		    || mr_from_add(&sum, arena, value, NULL))
			is_wrong = true;
		if (field_n > MR_FROM_FIELD_MAX || f.is_cut)
			break;
	}
	mr_message_close(&m);
	must(is_wrong ? st == MR_PERM : st == (sum.n ? MR_OK : MR_PERM));
	must(is_wrong || sum.n == all->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_from from;
	struct mr_arena arena;
	enum mr_status st;

	if (file_fd < 0)
		must((file_fd = memfd_create("message", MFD_CLOEXEC)) >= 0);
	must(ftruncate(file_fd, 0) == 0 && pwrite(file_fd, data, size, 0) == (ssize_t)size
	    && lseek(file_fd, 0, SEEK_SET) == 0);
	mr_arena_init(&arena, 16 << 20);
	st = mr_from_read(&from, &arena, file_fd, NULL);
	must(st == MR_OK || st == MR_PERM);
	check_domains(&from);
	check_fields(&arena, &from, st);
	mr_arena_free(&arena);
	return 0;
}
