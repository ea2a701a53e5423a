#include "queue/ask.h"

#include "base/clock.h"
#include "queue/record.h"
#include "queue/sched.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 30000 /* the scheduler may be writing a bounce to a slow disk */

const char *
mr_ask_word(enum mr_ask ask)
{
	return ask == MR_ASK_RETRY ? "retry" : "delete";
}

enum mr_status
mr_ask_each(const struct mr_spool *spool,
    enum mr_status (*take)(void *state, const char *id, bool is_deferred, struct mr_err *err),
    void *state, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (int is_deferred = 0; is_deferred < 2 && st == MR_OK; is_deferred++) {
		int fd = openat(is_deferred ? spool->deferred_fd : spool->incoming_fd, ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		struct dirent *e;

		if (!d)
			return mr_err_sys(err, MR_TEMP, "%s", spool->path);
		while (st == MR_OK && (e = readdir(d)))
			if (mr_spool_is_id(mr_str(e->d_name)))
				st = take(state, e->d_name, is_deferred, err);
		closedir(d);
	}
	return st;
}

/* ---- without a scheduler ---- */

struct act {
	const struct mr_spool *spool;
	enum mr_ask ask;
	const char *id; /* NULL: all */
	size_t n;
};

static enum mr_status
act_on(void *state, const char *id, bool is_deferred, struct mr_err *err)
{
	struct act *act = state;
	int folder = is_deferred ? act->spool->deferred_fd : act->spool->incoming_fd;
	enum mr_status st;

	if (act->id && strcmp(act->id, id) != 0)
		return MR_OK;
	act->n++;
	if (act->ask == MR_ASK_RETRY) {
		/* Without events it is due anyway. */
		st = mr_record_set_next(act->spool, id, mr_clock_now_s(), err);
		return st == MR_NOTFOUND ? MR_OK : st;
	}
	if (unlinkat(folder, id, 0) < 0 && errno != ENOENT)
		return mr_err_sys(err, MR_TEMP, "%s", id);
	return mr_record_remove(act->spool, id, err);
}

/* ---- through the scheduler ---- */

/* MR_NOTFOUND: nobody is there. */
static enum mr_status
connect_control(const struct mr_spool *spool, int *fd, struct mr_err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return mr_err_sys(err, MR_TEMP, "socket");
	snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/control", spool->dir_fd);
	if (connect(*fd, (struct sockaddr *)&to, sizeof to) == 0)
		return MR_OK;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return mr_err_set(err, MR_NOTFOUND, "no scheduler runs");
	return mr_err_sys(err, MR_TEMP, "%s/control", spool->path);
}

static enum mr_status
read_answer(struct mr_str answer, size_t *n, struct mr_err *err)
{
	uint64_t v;

	if (mr_str_is(answer, "none"))
		return mr_err_set(err, MR_NOTFOUND, "no such message");
	if (!mr_str_starts(answer, "ok ") || !mr_str_num(mr_str_from(answer, 3), SIZE_MAX, &v))
		return mr_err_set(err, MR_TEMP, "the scheduler could not do it; its log says why");
	*n = (size_t)v;
	return MR_OK;
}

static enum mr_status
ask_scheduler(int sock, enum mr_ask ask, const char *id, size_t *n, struct mr_err *err)
{
	char request[MR_ASK_MAX];
	struct mr_buf answer;
	enum mr_status st;
	int fd = -1;

	snprintf(request, sizeof request, "%s %s", mr_ask_word(ask), id ? id : "all");
	mr_buf_init(&answer, MR_ASK_MAX);
	if ((st = mr_io_send_packet(sock, mr_str(request), -1, err)) == MR_OK
	    && (st = mr_io_wait(sock, POLLIN, mr_clock_mono_ms() + ANSWER_MS, err)) == MR_OK
	    && (st = mr_io_recv_packet(sock, &answer, &fd, err)) == MR_OK)
		st = read_answer(mr_buf_str(&answer), n, err);
	else
		st = mr_err_set(err, MR_TEMP, "the scheduler does not answer");
	if (fd >= 0)
		close(fd);
	mr_buf_free(&answer);
	return st;
}

enum mr_status
mr_ask(const struct mr_spool *spool, enum mr_ask ask, const char *id, size_t *n, struct mr_err *err)
{
	struct act act = { .spool = spool, .ask = ask, .id = id };
	enum mr_status st;
	int fd, lock;

	*n = 0;
	if (id && !mr_spool_is_id(mr_str(id)))
		return mr_err_set(err, MR_NOTFOUND, "no such message");
	st = connect_control(spool, &fd, err);
	if (st == MR_OK)
		st = ask_scheduler(fd, ask, id, n, err);
	else if (st == MR_NOTFOUND) {
		st = mr_sched_lock(spool, &lock, err);
		if (st == MR_NOTFOUND)
			st = mr_err_set(
			    err, MR_TEMP, "a scheduler is starting or ending; try again");
		else if (st == MR_OK) {
			st = mr_ask_each(spool, act_on, &act, err);
			close(lock);
			*n = act.n;
			if (st == MR_OK && id && act.n == 0)
				st = mr_err_set(err, MR_NOTFOUND, "no such message");
		}
	}
	if (fd >= 0)
		close(fd);
	return st;
}
