#include "queue/record.h"

#include "../tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/mr-record.XXXXXX";
static struct mr_spool spool;
static struct mr_err err;
static const char id[] = "0123456789a.01234567";

static struct mr_event
event(int64_t time_s, size_t rcpt, enum mr_outcome outcome, const char *reply)
{
	return (struct mr_event){ .time_s = time_s,
		.rcpt = rcpt,
		.addr = MR_STR("b@b.example"),
		.outcome = outcome,
		.status = MR_STR("4.7.1"),
		.host = MR_STR("mx.b.example[192.0.2.1]:25"),
		.reply = mr_str(reply) };
}

static enum mr_status
append(struct mr_event e, bool is_durable, int64_t next_s)
{
	struct mr_buf lines;
	enum mr_status st;

	mr_buf_init(&lines, 1 << 20);
	mr_event_write(&e, &lines);
	st = mr_record_append(&spool, id, mr_buf_str(&lines), is_durable, next_s, &err);
	mr_buf_free(&lines);
	return st;
}

static enum mr_status
load(struct mr_record *r, struct mr_arena *arena)
{
	mr_arena_free(arena);
	mr_record_init(r, arena, 3, &err);
	return mr_record_read(r, &spool, id, &err);
}

static void
test_line(void)
{
	struct mr_arena arena;
	struct mr_event e = event(12, 2, MR_FAILED, "550 5.1.1 no \"such\" \xc3\xa9 user\\"), got;
	struct mr_buf line;

	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&line, 1 << 16);
	mr_event_write(&e, &line);
	ok(line.p[line.n - 1] == '\n'
	        && mr_str_chr(mr_buf_str(&line), '\n') == (ptrdiff_t)line.n - 1,
	    "one line");
	line.n--;
	ok(mr_event_parse(&got, &arena, mr_buf_str(&line), &err) == MR_OK, "is read back");
	ok(got.time_s == 12 && got.rcpt == 2 && got.outcome == MR_FAILED, "numbers");
	is(got.reply, "550 5.1.1 no \"such\" \xc3\xa9 user\\", "reply");
	is(got.addr, "b@b.example", "address");
	ok(mr_event_parse(&got, &arena, MR_STR("time=1 rcpt=0"), &err) == MR_PERM
	        && mr_event_parse(&got, &arena, MR_STR("time=1 rcpt=0 outcome=deliver"), &err)
	            == MR_PERM
	        && mr_event_parse(&got, &arena, MR_STR("rcpt=0 outcome=failed"), &err) == MR_PERM
	        && mr_event_parse(&got, &arena, MR_STR("time=1 rcpt=10000 outcome=failed"), &err)
	            == MR_PERM
	        && mr_event_parse(&got, &arena, MR_STR("time=1 rcpt=0 outcome=failed x"), &err)
	            == MR_PERM
	        && mr_event_parse(&got, &arena, MR_STR(""), &err) == MR_PERM,
	    "other lines are none");
	mr_buf_free(&line);
	mr_arena_free(&arena);
}

static void
test_file(void)
{
	struct mr_record r;
	struct mr_arena arena;
	int64_t next_s = 0;
	int fd;

	mr_arena_init(&arena, 1 << 20);
	ok(load(&r, &arena) == MR_NOTFOUND && r.undone_n == 3 && r.tries == 0,
	    "no file, no events");
	ok(append(event(100, 0, MR_DELIVERED, "250 ok"), true, 0) == MR_OK, "delivered");
	ok(append(event(101, 1, MR_DEFERRED, "451 first"), false, 500) == MR_OK, "deferred");
	ok(append(event(102, 1, MR_DEFERRED, "451 second"), false, 600) == MR_OK, "and again");
	ok(load(&r, &arena) == MR_OK, "read");
	ok(r.rcpt[0].is_done && !r.rcpt[1].is_done && !r.rcpt[2].is_done && r.undone_n == 2,
	    "who is done");
	ok(r.rcpt[1].tries == 2 && r.rcpt[2].tries == 0 && r.tries == 2, "tries");
	ok(r.last_s == 102 && r.next_s == 600, "last and next time");
	is(r.rcpt[1].last.reply, "451 second", "the last reply");
	ok(mr_record_get_next(&spool, id, &next_s, &err) == MR_OK && next_s == 600, "next by stat");
	ok(mr_record_set_next(&spool, id, 700, &err) == MR_OK
	        && mr_record_get_next(&spool, id, &next_s, &err) == MR_OK && next_s == 700,
	    "next can be set");

	fd = openat(spool.deferred_fd, "0123456789a.01234567.log", O_WRONLY | O_APPEND);
	ok(write(fd, "time=103 rcpt=2 outcome=delivered host=a", 40) == 40, "a line is torn");
	close(fd);
	ok(load(&r, &arena) == MR_OK && !r.rcpt[2].is_done, "a torn last line is ignored");
	ok(append(event(104, 1, MR_FAILED, "550 no"), true, 0) == MR_OK, "one more after it");
	ok(load(&r, &arena) == MR_OK && r.rcpt[1].is_done && r.rcpt[1].tries == 3,
	    "is not swallowed by it");
	ok(mr_record_remove(&spool, id, &err) == MR_OK
	        && mr_record_remove(&spool, id, &err) == MR_OK,
	    "remove twice");
	mr_arena_free(&arena);
}

/* A message that is tried for days takes memory for one line a recipient only. */
static void
test_long_file(void)
{
	struct mr_record r;
	struct mr_arena arena;
	struct mr_event e = event(1, 1, MR_DEFERRED, "451 4.3.0 the same words again and again");
	struct mr_buf lines;

	mr_arena_init(&arena, 64u << 10);
	mr_buf_init(&lines, 8 << 20);
	for (e.time_s = 1; e.time_s <= 20000; e.time_s++)
		mr_event_write(&e, &lines);
	ok(mr_record_append(&spool, id, mr_buf_str(&lines), false, 0, &err) == MR_OK,
	    "20,000 lines");
	ok(load(&r, &arena) == MR_OK && r.rcpt[1].tries == 20000 && r.last_s == 20000,
	    "are read in 64 KB");
	mr_record_init(&r, &arena, 3, &err);
	ok(mr_record_apply(&r, mr_buf_str(&lines), &err) == MR_OK && r.rcpt[1].tries == 20000,
	    "the same from memory");
	mr_record_remove(&spool, id, &err);
	mr_buf_free(&lines);
	mr_arena_free(&arena);
}

int
main(void)
{
	if (!mkdtemp(dir) || mr_spool_open(&spool, dir, &err))
		return 1;
	test_line();
	test_file();
	test_long_file();
	is(mr_record_id(MR_STR("0123456789a.01234567.log")), id, "name of an event file");
	is(mr_record_id(MR_STR("0123456789a.01234567")), NULL, "of a message");
	is(mr_record_id(MR_STR("x.log")), NULL, "of anything");
	unlinkat(spool.dir_fd, "incoming", AT_REMOVEDIR);
	unlinkat(spool.dir_fd, "deferred", AT_REMOVEDIR);
	mr_spool_close(&spool);
	ok(rmdir(dir) == 0, "nothing is left in the spool");
	return done_testing();
}
