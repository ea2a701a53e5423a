#include "pipe/confined.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/sandbox.h"
#include "pipe/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOB_MEMORY_MAX (16u << 20) /* what one record and its answer may take in the child */
#define CHILD_FAILED   1           /* its exit code when it cannot go on */
#define DROP_MS        1000u       /* how long it may take to tell that a message is over */
#define FILE_FD        3           /* in the child: where messages come from */
#define DNS_BATCHES    16u         /* that one stage may ask for one message */
#define FROM_CHILD_MAX (sizeof(struct frame) + MR_DNS_CARRIED_MAX)

/* What goes over the socket, both ways: this, and `len` bytes of text.  The child speaks when it is spoken to:
 * a record brings an answer, or DNS questions, which bring their answers first; SPOILT may come before. */
struct frame {
	uint32_t number; /* to the child: which step; from it: the verdict; or one of those below */
	uint32_t len;
};

/* No verdict's numbers: */
#define QUESTIONS 1u /* of the DNS */
#define SPOILT    3u /* what comes now may take the child over: it is not for another message */
/* With a step's: a message waits at the other socket.  Alone: the message is over. */
#define NEW  (1u << 31)
#define DROP UINT32_MAX

#define NOTE_MAX        1024u /* bytes of an answer's note */
#define ANSWER_TEXT_MAX (2 * MR_ANSWER_MAX + NOTE_MAX + sizeof(uint32_t))

static enum mr_status
or_gone(enum mr_status st)
{
	return st == MR_TEMP && (errno == EPIPE || errno == ECONNRESET) ? MR_NOTFOUND : st;
}

static enum mr_status
send_frame(
    int sock, uint32_t number, const struct mr_buf *text, int64_t deadline_ms, struct mr_err *err)
{
	struct frame f = { number, (uint32_t)text->n };
	struct mr_buf all;
	enum mr_status st;

	if (text->is_full)
		return mr_err_set(err, MR_TEMP, "too large");
	mr_buf_init(&all, sizeof f + text->n);
	mr_buf_add(&all, (struct mr_str){ (const char *)&f, sizeof f });
	mr_buf_add(&all, mr_buf_str(text));
	errno = 0;
	st = all.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                 : mr_io_write_by(sock, mr_buf_str(&all), deadline_ms, err);
	st = or_gone(st);
	mr_buf_free(&all);
	return st;
}

/* Both give MR_NOTFOUND: the other side is gone.  *text is a view of the reader's window. */
static enum mr_status
receive_frame(struct mr_reader *in, uint32_t *number, struct mr_str *text, int64_t deadline_ms,
    struct mr_err *err)
{
	struct mr_str s;
	struct frame f;
	enum mr_status st;

	for (;;) {
		s = mr_reader_window(in);
		if (s.n >= sizeof f) {
			memcpy(&f, s.p, sizeof f);
			if (s.n - sizeof f >= f.len)
				break;
		}
		errno = 0;
		if ((st = mr_reader_fill(in, deadline_ms, err)))
			return or_gone(st);
	}
	*number = f.number;
	*text = (struct mr_str){ s.p + sizeof f, f.len };
	return MR_OK;
}

/* ---- the child ------------------------------------------------------------------------------------ */

/* The sockets become 1 and FILE_FD; 2 stays the log, and 0 is for the message. */
static bool
take_descriptors(int sock, int file_sock)
{
	if ((sock = fcntl(sock, F_DUPFD, FILE_FD + 1)) < 0
	    || (file_sock = fcntl(file_sock, F_DUPFD, FILE_FD + 1)) < 0 || dup2(sock, 1) < 0
	    || dup2(file_sock, FILE_FD) < 0)
		return false;
	close(0);
	return close_range(FILE_FD + 1, ~0u, 0) == 0;
}

static bool
take_message(void)
{
	struct mr_buf packet;
	bool is_done;
	int fd;

	mr_buf_init(&packet, 1);
	is_done = mr_io_recv_packet(FILE_FD, &packet, &fd, NULL) == MR_OK && fd == 0;
	mr_buf_free(&packet);
	return is_done;
}

static bool
drop_message(struct mr_dns *dns)
{
	if (dns)
		mr_dns_forget(dns);
	return close(0) == 0;
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* those that cannot be set refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A resolver's carrier: the session asks for us. */
static enum mr_status
carry(void *ctx, struct mr_str questions, struct mr_str *answers, struct mr_err *err)
{
	struct mr_reader *in = ctx;
	struct mr_buf text;
	uint32_t number;
	enum mr_status st;

	mr_buf_init(&text, questions.n);
	mr_buf_add(&text, questions);
	st = send_frame(1, QUESTIONS, &text, MR_NO_DEADLINE, err);
	mr_buf_free(&text);
	mr_reader_take(in, mr_reader_window(in).n);
	return st ? st : receive_frame(in, &number, answers, MR_NO_DEADLINE, err);
}

static void
tell_spoilt(void)
{
	struct mr_buf nothing;

	mr_buf_init(&nothing, 1);
	if (send_frame(1, SPOILT, &nothing, MR_NO_DEADLINE, NULL))
		_exit(CHILD_FAILED); /* it must not be kept */
	mr_buf_free(&nothing);
}

/* All filters ask through the session, also those with -D: it knows whom. */
static bool
open_dns(struct mr_pipeline *pl, struct mr_reader *in, struct mr_dns_carrier *carrier,
    struct mr_dns **of_all)
{
	const struct mr_dns_conf conf = { .carrier = carrier };
	struct mr_dns *dns = NULL;

	*carrier = (struct mr_dns_carrier){ carry, in };
	for (size_t i = 0; i < pl->n; i++) {
		const struct mr_filter *filter = pl->step[i].filter;

		if (!filter || !filter->message || !mr_filter_asks_dns(filter))
			continue;
		if (!dns
		    && (mr_reader_init(in, 1, sizeof(struct frame) + MR_DNS_CARRIED_MAX, NULL)
		        || mr_dns_open(&dns, &conf, NULL)))
			return false;
		pl->step[i].own.conf.dns = dns;
	}
	*of_all = dns;
	return true;
}

/* The note, which is no part of an answer's text, goes before it. */
static void
add_note(struct mr_buf *text, struct mr_str note)
{
	uint32_t len = note.n < NOTE_MAX ? (uint32_t)note.n : NOTE_MAX;

	mr_buf_add(text, (struct mr_str){ (const char *)&len, sizeof len });
	mr_buf_add(text, (struct mr_str){ note.p, len });
}

static bool
do_job(struct mr_pipeline *pl, uint32_t number, struct mr_str record)
{
	struct mr_answer answer;
	struct mr_arena arena;
	struct mr_env env;
	struct mr_buf text;
	bool is_done = false;
	size_t used;

	mr_arena_init(&arena, JOB_MEMORY_MAX);
	mr_env_init(&env, &arena);
	mr_answer_init(&answer, &arena);
	mr_buf_init(&text, ANSWER_TEXT_MAX);
	if (number < pl->n && mr_env_parse(&env, record, &used, NULL) == MR_OK
	    && lseek(0, 0, SEEK_SET) == 0) {
		mr_filter_ask_message(&pl->step[number].own, 0, &env, &answer);
		add_note(&text, answer.note);
		mr_answer_write(&answer, &text);
		is_done =
		    send_frame(1, (uint32_t)answer.verdict, &text, MR_NO_DEADLINE, NULL) == MR_OK;
	}
	mr_buf_free(&text);
	mr_arena_free(&arena);
	return is_done;
}

static int
child(struct mr_pipeline *pl, int sock, int file_sock, bool has_secrets)
{
	struct mr_dns_carrier carrier;
	struct mr_dns *dns;
	struct mr_reader in, dns_in;
	struct mr_str record;
	uint32_t number;
	enum mr_status st;

	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!take_descriptors(sock, file_sock)
	    || mr_reader_init(&in, 1, sizeof(struct frame) + MR_ENV_MAX, NULL)
	    || !open_dns(pl, &dns_in, &carrier, &dns))
		return CHILD_FAILED;
	for (size_t i = 0; i < pl->n; i++)
		pl->step[i].own.conf.spoil = tell_spoilt;
	mr_sandbox_confine(MR_CONFINED_MEMORY_MAX, has_secrets, pl->conf.log);
	while ((st = receive_frame(&in, &number, &record, MR_NO_DEADLINE, NULL)) == MR_OK) {
		if (number == DROP
		        ? !drop_message(dns)
		        : (number & NEW && !take_message()) || !do_job(pl, number & ~NEW, record))
			return CHILD_FAILED;
		mr_reader_take(&in, sizeof(struct frame) + record.n);
	}
	return st == MR_NOTFOUND ? 0 : CHILD_FAILED;
}

/* ---- the parent ----------------------------------------------------------------------------------- */

void
mr_confined_init(struct mr_confined *c, struct mr_pipeline *pl)
{
	*c = (struct mr_confined){ .pl = pl, .sock = -1, .file_sock = -1, .message_fd = -1 };
}

static int
reap(struct mr_confined *c)
{
	int status = 0;

	close(c->sock);
	close(c->file_sock);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	mr_confined_init(c, c->pl);
	return status;
}

void
mr_confined_end(struct mr_confined *c)
{
	if (c->pid)
		reap(c); /* the end of the socket is its end */
}

static enum mr_status
start(struct mr_confined *c, struct mr_err *err)
{
	int sock[2], file_sock[2];
	enum mr_status st = MR_OK;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return mr_err_sys(err, MR_TEMP, "socket pair");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, file_sock) < 0) {
		st = mr_err_sys(err, MR_TEMP, "socket pair");
		close(sock[0]);
		close(sock[1]);
		return st;
	}
	pid = fork();
	if (pid == 0)
		_exit(child(c->pl, sock[1], file_sock[1], c->has_secrets));
	if (pid < 0)
		st = mr_err_sys(err, MR_TEMP, "fork");
	close(sock[1]);
	close(file_sock[1]);
	if (st) {
		close(sock[0]);
		close(file_sock[0]);
		return st;
	}
	c->pid = pid;
	c->sock = sock[0];
	c->file_sock = file_sock[0];
	return MR_OK;
}

/* Gives the child a descriptor of the message with an offset of its own. */
static enum mr_status
give_message(struct mr_confined *c, int message_fd, struct mr_err *err)
{
	char path[64];
	enum mr_status st;
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", message_fd);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return mr_err_sys(err, MR_TEMP, "message");
	st = mr_io_send_packet(c->file_sock, MR_STR("m"), fd, err);
	close(fd);
	if (st == MR_OK)
		c->message_fd = message_fd;
	return st;
}

void
mr_confined_next(struct mr_confined *c)
{
	struct mr_buf nothing;

	if (c->message_fd < 0)
		return;
	c->message_fd = -1;
	if (++c->message_n >= MR_CONFINED_MESSAGES_MAX || c->is_spoilt) {
		mr_confined_end(c);
		return;
	}
	mr_buf_init(&nothing, 1);
	if (send_frame(c->sock, DROP, &nothing, mr_clock_mono_ms() + DROP_MS, NULL) == MR_TEMP) {
		kill(c->pid, SIGKILL);
		reap(c);
	}
	mr_buf_free(&nothing);
}

/* Asks what the child wants to know of the resolver of the stage's filter, and tells it. */
static enum mr_status
ask_for(struct mr_confined *c, struct mr_step *step, struct mr_str questions, int64_t deadline_ms,
    struct mr_err *err)
{
	struct mr_buf answers;
	struct mr_dns *dns;
	enum mr_status st;

	if (!mr_filter_asks_dns(step->filter))
		return mr_err_set(err, MR_TEMP, "it asks the DNS");
	if ((st = mr_filter_dns(&step->own, &dns, err)))
		return st;
	mr_buf_init(&answers, MR_DNS_CARRIED_MAX);
	mr_dns_serve(dns, questions, deadline_ms, &answers);
	answers.is_full = false; /* the last ones are missing, and taken for an outage */
	st = send_frame(c->sock, QUESTIONS, &answers, deadline_ms, err);
	mr_buf_free(&answers);
	return st;
}

/* Takes the note off the front; people will see it, so it is made printable. */
static bool
take_note(struct mr_str *text, struct mr_arena *arena, struct mr_str *note)
{
	uint32_t len;

	if (text->n < sizeof len)
		return false;
	memcpy(&len, text->p, sizeof len);
	*text = mr_str_from(*text, sizeof len);
	if (len > text->n)
		return false;
	*note = mr_arena_shown(arena, (struct mr_str){ text->p, len }, NOTE_MAX, "");
	*text = mr_str_from(*text, len);
	return true;
}

/* Waits for the verdict, and brings what it wants to know meanwhile. */
static enum mr_status
hear(struct mr_confined *c, struct mr_step *step, struct mr_reader *in, int64_t deadline_ms,
    uint32_t *verdict, struct mr_str *text, struct mr_err *err)
{
	bool has_said = false;
	unsigned batch_n = 0;
	enum mr_status st;

	for (;;) {
		if ((st = receive_frame(in, verdict, text, deadline_ms, err)))
			return st;
		if (*verdict == SPOILT && !has_said)
			c->is_spoilt = has_said = true;
		else if (*verdict != QUESTIONS)
			return MR_OK;
		else if (batch_n++ == DNS_BATCHES)
			return mr_err_set(err, MR_TEMP, "it asks on and on");
		else if ((st = ask_for(c, step, *text, deadline_ms, err)))
			return st;
		mr_reader_take(in, sizeof(struct frame) + text->n);
	}
}

static enum mr_status
talk(struct mr_confined *c, struct mr_step *step, bool is_new, const struct mr_env *env,
    int64_t deadline_ms, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_buf record;
	struct mr_reader in;
	struct mr_str text, note;
	uint32_t verdict;
	enum mr_status st;

	if ((st = mr_reader_init(&in, c->sock, FROM_CHILD_MAX, err)))
		return st;
	mr_buf_init(&record, MR_ENV_MAX);
	mr_env_write(env, &record);
	st = send_frame(c->sock, (uint32_t)(step - c->pl->step) | (is_new ? NEW : 0), &record,
	    deadline_ms, err);
	mr_buf_free(&record);
	if (st == MR_OK)
		st = hear(c, step, &in, deadline_ms, &verdict, &text, err);
	if (st == MR_OK && verdict != MR_DUNNO && verdict != MR_MEMBER && verdict != MR_REFUSE
	    && verdict != MR_DEFER)
		st = mr_err_set(err, MR_TEMP, "no verdict");
	if (st == MR_OK && !take_note(&text, answer->arena, &note))
		st = mr_err_set(err, MR_TEMP, "no note");
	/* An answer of wrong form is a fault of ours. */
	if (st == MR_OK)
		st = mr_answer_parse(answer, (enum mr_verdict)verdict, text, err);
	if (st == MR_OK)
		answer->note = note;
	mr_reader_free(&in);
	return st;
}

static enum mr_status
died(int status, struct mr_err *err)
{
	return WIFSIGNALED(status)
	    ? mr_err_set(err, MR_TEMP, "ended by signal %d", WTERMSIG(status))
	    : mr_err_set(err, MR_TEMP, "ended with code %d", WEXITSTATUS(status));
}

static enum mr_status
ask(struct mr_confined *c, struct mr_step *step, int message_fd, int64_t deadline_ms,
    const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_err why;
	enum mr_status st;
	bool has_past, is_new;
	int status;

	for (;;) {
		if (!c->pid && (st = start(c, err)))
			return st;
		has_past = c->message_n > 0;
		is_new = c->message_fd != message_fd;
		st = is_new ? give_message(c, message_fd, &why) : MR_OK;
		if (st == MR_OK)
			st = talk(c, step, is_new, env, deadline_ms, answer, &why);
		if (st == MR_OK)
			return MR_OK;
		if (st != MR_NOTFOUND)
			kill(c->pid, SIGKILL);
		status = reap(c);
		if (st != MR_NOTFOUND)
			return mr_err_set(err, MR_TEMP, "no answer: %s", why.text);
		if (!has_past)
			return died(status, err);
		/* That may be the fault of messages before: once more, in a new one. */
		died(status, &why);
		MR_LOG(c->pl->conf.log, MR_LOG_FAULT, "child",
		    { "stage", mr_str(step->stage->name) }, { "why", mr_str(why.text) },
		    { "then", MR_STR("again") });
	}
}

enum mr_status
mr_confined_ask(struct mr_confined *c, struct mr_step *step, int message_fd, uint64_t time_s,
    const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	int64_t deadline_ms = mr_clock_mono_ms() + (int64_t)time_s * 1000;
	struct mr_confined alone;
	enum mr_status st;

	if (!step->filter->has_secrets)
		return ask(c, step, message_fd, deadline_ms, env, answer, err);
	/* Where bytes of others have been at work, no secrets shall be. */
	mr_confined_init(&alone, c->pl);
	alone.has_secrets = true;
	st = ask(&alone, step, message_fd, deadline_ms, env, answer, err);
	mr_confined_end(&alone);
	return st;
}
