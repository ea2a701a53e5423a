/* The one file that knows libmagic. */
#include "check/filetype.h"

#include "base/lazy.h"

#include <magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* filetype.magic as file(1) compiled it. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "mr_magic_db:\n"
        ".incbin \"" MR_MAGIC_DB "\"\n"
        "mr_magic_db_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const unsigned char mr_magic_db[], mr_magic_db_end[];

#define LIB(name)    magic_##name
#define FUNCTIONS(F) F(open) F(close) F(load) F(load_buffers) F(buffer) F(error)

struct libmagic {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct mr_magic {
	struct libmagic lib;
	magic_t cookie;
	size_t db_n;
	unsigned char db[]; /* a copy: libmagic may turn its bytes round */
};

/* Only the database counts: libmagic's own checks would call half of it text. */
#define OWN_FLAGS                                                                       \
	(MAGIC_RAW | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_TEXT \
	    | MAGIC_NO_CHECK_ENCODING | MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_TOKENS      \
	    | MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_CSV | MAGIC_NO_CHECK_JSON)

enum mr_status
mr_magic_open(struct mr_magic **magic, bool is_system, struct mr_err *err)
{
	size_t n = (size_t)(mr_magic_db_end - mr_magic_db);
	struct mr_magic *m = malloc(sizeof *m + n);
	void *db = m ? m->db : NULL;
	enum mr_status st;
	int code = 0;

	if (!m)
		return mr_err_set(err, MR_TEMP, "out of memory");
	m->db_n = n;
	memcpy(m->db, mr_magic_db, n);
	m->cookie = NULL;
	st = MR_LAZY_LOAD(&m->lib, FUNCTIONS, err);
	if (st == MR_OK && !(m->cookie = m->lib.open(is_system ? MAGIC_MIME_TYPE : OWN_FLAGS)))
		st = mr_err_set(err, MR_TEMP, "libmagic: out of memory");
	if (st == MR_OK)
		code = is_system ? m->lib.load(m->cookie, NULL)
		                 : m->lib.load_buffers(m->cookie, &db, &m->db_n, 1);
	if (code)
		st = mr_err_set(err, MR_TEMP, "libmagic: %s", m->lib.error(m->cookie));
	if (st) {
		mr_magic_close(m);
		return st;
	}
	*magic = m;
	return MR_OK;
}

void
mr_magic_close(struct mr_magic *magic)
{
	if (magic && magic->cookie)
		magic->lib.close(magic->cookie);
	free(magic);
}

enum mr_status
mr_magic_word(struct mr_magic *magic, struct mr_str head, char *word, struct mr_err *err)
{
	const char *said = magic->lib.buffer(magic->cookie, head.p, head.n);

	if (!said)
		return mr_err_set(err, MR_TEMP, "libmagic: %s", magic->lib.error(magic->cookie));
	snprintf(word, MR_FILETYPE_WORD_MAX, "%s", said);
	if (strcmp(word, "data") == 0)
		word[0] = '\0';
	return MR_OK;
}
