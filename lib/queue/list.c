#include "queue/list.h"

#include "base/clock.h"
#include "ui/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_MAX  (16u << 20) /* bytes of one message's entry */
#define HEADER_MAX (64u << 10) /* bytes of the header that show prints */

/* ---- ids, sorted ------------------------------------------------------------------------------------- */

struct ids {
	char (*id)[MR_ID_MAX];
	size_t n, cap;
	bool is_out_of_memory;
};

static void
take_id(void *ctx, struct mr_str id)
{
	struct ids *ids = ctx;

	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 256;
		void *p = realloc(ids->id, cap * sizeof *ids->id);

		if (!p) {
			ids->is_out_of_memory = true;
			return;
		}
		ids->id = p;
		ids->cap = cap;
	}
	memcpy(ids->id[ids->n], id.p, id.n);
	ids->id[ids->n++][id.n] = '\0';
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum mr_status
all_ids(const struct mr_spool *spool, struct ids *ids, struct mr_err *err)
{
	enum mr_status st = mr_spool_each(spool->incoming_fd, NULL, take_id, ids, err);

	if (st == MR_OK)
		st = mr_spool_each(spool->deferred_fd, NULL, take_id, ids, err);
	if (st == MR_OK && ids->is_out_of_memory)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	if (ids->n)
		qsort(ids->id, ids->n, sizeof *ids->id, by_id);
	return st;
}

/* ---- one message -------------------------------------------------------------------------------------- */

struct item {
	struct mr_arena arena;
	const char *id;
	int fd;
	struct mr_spool_file file;
	struct mr_record record;
};

static void
close_item(struct item *it)
{
	if (it->fd >= 0)
		close(it->fd);
	mr_arena_free(&it->arena);
}

/* MR_NOTFOUND: gone; MR_PERM: damaged.  To be closed whatever the status. */
static enum mr_status
open_item(const struct mr_spool *spool, const char *id, struct item *it, struct mr_err *err)
{
	enum mr_status st;

	*it = (struct item){ .id = id, .fd = -1 };
	mr_arena_init(&it->arena, MR_SPOOL_ARENA_MAX * 2);
	st = mr_spool_open_file(spool->incoming_fd, id, &it->fd, err);
	if (st == MR_NOTFOUND)
		st = mr_spool_open_file(spool->deferred_fd, id, &it->fd, err);
	if (st == MR_OK)
		st = mr_spool_read(it->fd, &it->file, &it->arena, err);
	if (st == MR_OK)
		st = mr_record_init(&it->record, &it->arena, it->file.env.rcpt_n, err);
	if (st == MR_OK && (st = mr_record_read(&it->record, spool, id, err)) == MR_NOTFOUND)
		st = MR_OK; /* not tried yet */
	return st;
}

/* "42s", "17m", "5h", "3d" into storage of at least 24 bytes. */
static const char *
span(char *storage, int64_t s)
{
	int64_t v = s < 0 ? 0 : s;
	char unit = 's';

	if (v >= 2 * 86400) {
		v /= 86400;
		unit = 'd';
	} else if (v >= 2 * 3600) {
		v /= 3600;
		unit = 'h';
	} else if (v >= 120) {
		v /= 60;
		unit = 'm';
	}
	snprintf(storage, 24, "%" PRId64 "%c", v, unit);
	return storage;
}

/* "812", "4.1K", "25.0M" into storage of at least 24 bytes. */
static const char *
size_text(char *storage, uint64_t n)
{
	if (n < 1024)
		snprintf(storage, 24, "%" PRIu64, n);
	else if (n < 1024 * 1024)
		snprintf(storage, 24, "%.1fK", (double)n / 1024);
	else
		snprintf(storage, 24, "%.1fM", (double)n / (1024 * 1024));
	return storage;
}

static const char *
next_text(char *storage, const struct item *it)
{
	int64_t left = it->record.next_s - mr_clock_now_s();
	char t[24];

	if (it->record.next_s == 0 || left <= 0)
		return "now";
	snprintf(storage, 32, "in %s", span(t, left));
	return storage;
}

/* Strangers' words for a terminal: control characters become '?'. */
static void
add_safe(struct mr_buf *out, struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		mr_buf_addc(out,
		    ((unsigned char)s.p[i] < ' ' && s.p[i] != '\n') || s.p[i] == 0x7f ? '?'
		                                                                      : s.p[i]);
}

#define LIST_FMT "%-21s %5s %7s %-8s %s\n"

static void
add_for_people(const struct item *it, struct mr_buf *out)
{
	struct mr_str sender = mr_env_get(&it->file.env, "sender"),
	              from = sender.n ? sender : MR_STR("<> (bounce)");
	char age[24], size[24], next[32];
	size_t width = 0;

	mr_buf_addf(out, "%-21s %5s %7s %-8s ", it->id,
	    span(age, mr_clock_now_s() - mr_spool_id_time_s(mr_str(it->id))),
	    size_text(size, it->file.message_len), next_text(next, it));
	add_safe(out, from);
	mr_buf_addc(out, '\n');
	for (size_t i = 0; i < it->file.env.rcpt_n; i++)
		if (!it->record.rcpt[i].is_done && it->file.env.rcpt[i].addr.n > width)
			width = it->file.env.rcpt[i].addr.n;
	for (size_t i = 0; i < it->file.env.rcpt_n; i++) {
		const struct mr_rcpt_state *r = &it->record.rcpt[i];
		struct mr_str addr = it->file.env.rcpt[i].addr;

		if (r->is_done)
			continue;
		mr_buf_adds(out, "    ");
		add_safe(out, addr);
		mr_buf_addf(out, "%*s  ",
		    (int)((width < 40 ? width : 40) > addr.n ? (width < 40 ? width : 40) - addr.n
		                                             : 0),
		    "");
		if (r->tries == 0)
			mr_buf_adds(out, "not tried yet\n");
		else {
			mr_buf_addf(out, "%u %s: ", r->tries, r->tries == 1 ? "try" : "tries");
			add_safe(out, r->last.host);
			mr_buf_adds(out, r->last.host.n ? " said " : "");
			add_safe(out, r->last.reply);
			mr_buf_addc(out, '\n');
		}
	}
}

static void
add_json(const struct item *it, struct mr_buf *out)
{
	mr_buf_addc(out, '{');
	mr_json_field(out, "id", mr_str(it->id));
	mr_json_num(out, "arrived", mr_spool_id_time_s(mr_str(it->id)));
	mr_json_num(out, "size", (int64_t)it->file.message_len);
	mr_json_num(out, "next", it->record.next_s);
	mr_json_field(out, "sender", mr_env_get(&it->file.env, "sender"));
	mr_buf_adds(out, ",\"recipients\":[");
	for (size_t i = 0; i < it->file.env.rcpt_n; i++) {
		const struct mr_rcpt_state *r = &it->record.rcpt[i];

		mr_buf_adds(out, i ? ",{" : "{");
		mr_json_field(out, "recipient", it->file.env.rcpt[i].addr);
		mr_json_field(
		    out, "state", mr_str(r->tries ? mr_outcome_word(r->last.outcome) : "new"));
		mr_json_num(out, "tries", r->tries);
		if (r->tries) {
			mr_json_num(out, "time", r->last.time_s);
			mr_json_field(out, "status", r->last.status);
			mr_json_field(out, "host", r->last.host);
			mr_json_field(out, "reply", r->last.reply);
		}
		mr_buf_addc(out, '}');
	}
	mr_buf_adds(out, "]}\n");
}

static enum mr_status
put(int fd, struct mr_buf *out, struct mr_err *err)
{
	enum mr_status st = out->is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                                 : mr_io_write(fd, mr_buf_str(out), err);

	mr_buf_clear(out);
	return st;
}

/* A damaged file is listed as such: it must not hide the others. */
static void
add_damaged(const char *id, bool is_json, const struct mr_err *why, struct mr_buf *out)
{
	if (is_json) {
		mr_buf_addc(out, '{');
		mr_json_field(out, "id", mr_str(id));
		mr_json_field(out, "damaged", mr_str(why->text));
		mr_buf_adds(out, "}\n");
	} else
		mr_buf_addf(out, "%-21s damaged: %s\n", id, why->text);
}

enum mr_status
mr_queue_list(const struct mr_spool *spool, bool is_json, int out_fd, struct mr_err *err)
{
	struct ids ids = { .n = 0 };
	struct mr_buf out;
	enum mr_status st = all_ids(spool, &ids, err);
	uint64_t n = 0, bytes = 0;
	char size[24];

	mr_buf_init(&out, ENTRY_MAX);
	for (size_t i = 0; i < ids.n && st == MR_OK; i++) {
		struct item it;

		st = open_item(spool, ids.id[i], &it, err);
		if (st == MR_OK || st == MR_PERM) {
			if (++n == 1 && !is_json)
				mr_buf_addf(&out, LIST_FMT, "id", "age", "size", "next try",
				    "sender, recipients");
			bytes += st == MR_OK ? it.file.message_len : 0;
			if (st == MR_PERM)
				add_damaged(ids.id[i], is_json, err, &out);
			else if (is_json)
				add_json(&it, &out);
			else
				add_for_people(&it, &out);
			st = put(out_fd, &out, err);
		} else if (st == MR_NOTFOUND)
			st = MR_OK; /* delivered in the meantime */
		close_item(&it);
	}
	if (st == MR_OK && !is_json) {
		if (n == 0)
			mr_buf_adds(&out, "The queue is empty.\n");
		else
			mr_buf_addf(&out, "%" PRIu64 " message%s, %s\n", n, n == 1 ? "" : "s",
			    size_text(size, bytes));
		st = put(out_fd, &out, err);
	}
	mr_buf_free(&out);
	free(ids.id);
	return st;
}

/* ---- show, check -------------------------------------------------------------------------------------- */

static void
add_file_text(const struct mr_spool *spool, const char *id, struct mr_buf *out)
{
	char path[MR_ID_MAX + 16];
	struct mr_buf text;
	struct mr_err err;

	snprintf(path, sizeof path, "/proc/self/fd/%d/%s.log", spool->deferred_fd, id);
	mr_buf_init(&text, ENTRY_MAX / 4);
	if (mr_io_read_file(path, &text, &err) == MR_OK) {
		mr_buf_adds(out, "\nevents:\n");
		mr_buf_add(out, mr_buf_str(&text));
	}
	mr_buf_free(&text);
}

/* Front fields, then the message's header, as a terminal may see them. */
static void
add_header(const struct item *it, struct mr_buf *out)
{
	const uint64_t part[2][2] = { { it->file.front_off, it->file.front_len },
		{ 0, it->file.message_len < HEADER_MAX ? it->file.message_len : HEADER_MAX } };

	mr_buf_adds(out, "\nheader:\n");
	for (int k = 0; k < 2; k++) {
		struct mr_buf b;
		char *to, *end;
		ssize_t n;

		mr_buf_init(&b, MR_SPOOL_FRONT_MAX + HEADER_MAX);
		to = part[k][1] ? mr_buf_room(&b, part[k][1]) : NULL;
		n = to ? pread(it->fd, to, part[k][1], (off_t)part[k][0]) : 0;
		end = n > 0 ? memmem(to, (size_t)n, "\r\n\r\n", 4) : NULL;
		for (ssize_t i = 0; i < (end ? end + 2 - to : n); i++)
			if (to[i] != '\r')
				mr_buf_addc(out,
				    to[i] == '\n' || to[i] == '\t' || (to[i] >= ' ' && to[i] <= '~')
				        ? to[i]
				        : '?');
		mr_buf_free(&b);
	}
}

enum mr_status
mr_queue_show(
    const struct mr_spool *spool, const char *id, bool is_json, int out_fd, struct mr_err *err)
{
	struct mr_buf out, record;
	struct item it;
	enum mr_status st;

	if (!mr_spool_is_id(mr_str(id)))
		return mr_err_set(err, MR_NOTFOUND, "'%s' is not a queue id", id);
	st = open_item(spool, id, &it, err);
	mr_buf_init(&out, ENTRY_MAX);
	if (st == MR_NOTFOUND)
		mr_err_set(err, st, "no message %s in the queue", id);
	else if (st == MR_OK && is_json) {
		add_json(&it, &out);
		st = put(out_fd, &out, err);
	} else if (st == MR_OK) {
		mr_buf_addf(&out, LIST_FMT, "id", "age", "size", "next try", "sender, recipients");
		add_for_people(&it, &out);
		mr_buf_adds(&out, "\nrecord:\n");
		mr_buf_init(&record, ENTRY_MAX);
		mr_env_write(&it.file.env, &record);
		if (record.n)
			record.n--; /* the empty line that ends a record */
		add_safe(&out, mr_buf_str(&record));
		mr_buf_free(&record);
		add_file_text(spool, id, &out);
		add_header(&it, &out);
		st = put(out_fd, &out, err);
	}
	close_item(&it);
	mr_buf_free(&out);
	return st;
}

enum mr_status
mr_queue_check(
    const struct mr_spool *spool, int out_fd, uint64_t *n, uint64_t *bad, struct mr_err *err)
{
	struct ids ids = { .n = 0 };
	struct mr_buf out;
	enum mr_status st = all_ids(spool, &ids, err);

	*n = *bad = 0;
	mr_buf_init(&out, ENTRY_MAX);
	for (size_t i = 0; i < ids.n && st == MR_OK; i++) {
		struct item it;

		st = open_item(spool, ids.id[i], &it, err);
		if (st == MR_OK)
			st = mr_spool_verify(it.fd, &it.file, err);
		*n += st != MR_NOTFOUND;
		if (st == MR_PERM) {
			(*bad)++;
			add_damaged(ids.id[i], false, err, &out);
			st = put(out_fd, &out, err);
		} else if (st == MR_NOTFOUND)
			st = MR_OK;
		close_item(&it);
	}
	mr_buf_free(&out);
	free(ids.id);
	return st;
}
