/* A message file of the queue, as it may lie in a damaged or hostile spool, and as an event file. */
#include "base/child.h"
#include "queue/record.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_message(int fd, struct mr_arena *arena)
{
	struct mr_spool_file file;
	struct mr_err err;

	if (mr_spool_read(fd, &file, arena, &err) == MR_OK) {
		/* What is accepted has a sender and a recipient, and its parts lie within the file. */
		if (!mr_env_get(&file.env, "sender").p || file.env.rcpt_n == 0
		    || file.front_off != file.message_len)
			__builtin_trap();
		mr_spool_verify(fd, &file, &err);
	}
}

static void
read_events(struct mr_str text, struct mr_arena *arena)
{
	struct mr_record record;
	struct mr_err err;
	size_t undone = 0;

	if (mr_record_init(&record, arena, 3, &err) || mr_record_apply(&record, text, &err))
		return;
	for (size_t i = 0; i < record.rcpt_n; i++) {
		undone += !record.rcpt[i].is_done;
		if (record.rcpt[i].tries > record.tries)
			__builtin_trap();
	}
	if (undone != record.undone_n)
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str text = { (const char *)data, size };
	struct mr_arena arena;
	int fd = mr_child_memfile(text);

	if (fd < 0)
		return 0;
	mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
	read_message(fd, &arena);
	read_events(text, &arena);
	mr_arena_free(&arena);
	close(fd);
	return 0;
}
