#include "smtp/listen.h"

#include "base/clock.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IDLE_CHILD_S 30 /* a child without work goes after that */
#define BACKLOG      1024
#define PAUSE_MS     100 /* when the system has nothing to give */
#define R_TOO_MANY   "421 4.7.0 Too many connections\r\n"
#define R_BUSY       "421 4.3.0 Temporary problem of this host\r\n"

/* ---- load ------------------------------------------------------------------------------------------ */

enum mr_status
mr_smtpd_load(struct mr_smtpd_loaded *l, const struct mr_smtpd_files *files, struct mr_spool *spool,
    struct mr_err *err)
{
	struct mr_pipe_conf pipe = files->pipe;
	enum mr_status st;

	*l = (struct mr_smtpd_loaded){ .routes = NULL };
	mr_watch_init(&l->watch);
	pipe.watch = &l->watch;
	if ((st = mr_pipeline_open(&l->pl, files->spec, &pipe, err)))
		return st;
	if (files->routes
	    && ((st = mr_watch_add(&l->watch, files->routes, err))
	        || (st = mr_table_open(&l->routes, files->routes, MR_TABLE_ROUTES, err))))
		return st;
	l->conf = (struct mr_smtpd_conf){ .log = files->log,
		.host = files->host,
		.pl = &l->pl,
		.routes = l->routes,
		.spool = spool,
		.limit = files->limit };
	return MR_OK;
}

void
mr_smtpd_unload(struct mr_smtpd_loaded *l)
{
	mr_pipeline_close(&l->pl);
	mr_table_close(l->routes);
	mr_watch_free(&l->watch);
}

/* ---- one session ----------------------------------------------------------------------------------- */

static void
give_up_rights(const struct mr_smtpd_conf *conf)
{
	const char *writable[1 + MR_STORES_MAX + 1] = { conf->spool->path };

	/* A foreign program may have to write its own files: its rights are not ours to cut. */
	if (mr_pipeline_executes(conf->pl))
		return;
	mr_stores_folders(&conf->pl->shared.stores, writable + 1);
	mr_sandbox_enter(writable, conf->log);
}

static void
session(const struct mr_smtpd_conf *conf, int in_fd, int out_fd, const struct mr_peer *peer)
{
	setsockopt(out_fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	mr_smtpd_session(conf, in_fd, out_fd, peer);
}

enum mr_status
mr_smtpd_serve(const struct mr_smtpd_files *files, struct mr_spool *spool, int in_fd, int out_fd,
    const struct mr_peer *peer, struct mr_err *err)
{
	struct mr_smtpd_loaded l;
	enum mr_status st = mr_smtpd_load(&l, files, spool, err);

	if (st == MR_OK) {
		give_up_rights(&l.conf);
		session(&l.conf, in_fd, out_fd, peer);
	} else /* the client gets an answer, too */
		mr_io_write(out_fd, mr_str(R_BUSY), NULL);
	mr_smtpd_unload(&l);
	return st;
}

/* ---- the listener ---------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int sock; /* connections go in, a packet for each one done comes out */
	bool is_busy;
	unsigned generation; /* of the configuration it was forked with */
	uint64_t served;
	int64_t idle_since_ms;
	char address[MR_IP_TEXT_MAX]; /* of its client, while it is busy */
};

struct listener {
	const struct mr_smtpd_files *files;
	struct mr_spool *spool;
	struct mr_smtpd_loaded *now; /* in use */
	unsigned generation;         /* how often that was replaced */
	struct mr_watch tried;       /* files of the last attempt, if that failed */
	bool has_failed;
	int fd, signal_fd, reserve_fd;
	struct child *child; /* room for limit.connections */
	size_t child_n, busy_n;
};

enum mr_status
mr_smtpd_bind(const char *where, int *fd, struct mr_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai;
	ptrdiff_t colon = mr_str_rchr(mr_str(where), ':');
	struct mr_str name = { where, colon < 0 ? 0 : (size_t)colon };
	char host[256];
	uint64_t port;
	int rc;

	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = (struct mr_str){ name.p + 1, name.n - 2 };
	if (name.n == 0 || name.n >= sizeof host
	    || !mr_str_num(mr_str(where + colon + 1), 65535, &port))
		return mr_err_set(
		    err, MR_USAGE, "-L %s: need address:port, like 127.0.0.1:25", where);
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	if ((rc = getaddrinfo(host, where + colon + 1, &hints, &ai)))
		return mr_err_set(err, MR_USAGE, "-L %s: %s", where, gai_strerror(rc));
	*fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0
	    || bind(*fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(*fd, BACKLOG) < 0) {
		mr_err_sys(err, MR_TEMP, "-L %s", where);
		if (*fd >= 0)
			close(*fd);
		freeaddrinfo(ai);
		return MR_TEMP;
	}
	freeaddrinfo(ai);
	return MR_OK;
}

/* Opens again what was replaced. */
static void
refresh(struct listener *l)
{
	struct mr_smtpd_loaded *new;
	struct mr_err err;

	if (l->has_failed ? !mr_watch_has_changed(&l->tried)
	                  : !mr_watch_has_changed(&l->now->watch))
		return;
	if (!(new = malloc(sizeof *new)))
		return;
	mr_watch_free(&l->tried);
	if (mr_smtpd_load(new, l->files, l->spool, &err) == MR_OK) {
		mr_smtpd_unload(l->now);
		free(l->now);
		l->now = new;
		l->generation++;
		l->has_failed = false;
		MR_LOG(l->files->log, MR_LOG_INFO, "reload", { "result", MR_STR("new") });
		return;
	}
	MR_LOG(l->files->log, MR_LOG_FAULT, "reload", { "result", MR_STR("old-stays") },
	    { "why", mr_str(err.text) });
	l->has_failed = true;
	l->tried = new->watch;
	mr_watch_init(&new->watch);
	mr_smtpd_unload(new);
	free(new);
}

static void
send_away(const struct listener *l, int fd, const struct mr_peer *peer, const char *reply,
    const char *why)
{
	(void)!send(fd, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
	MR_LOG(l->files->log, MR_LOG_WARN, "connect", { "client", peer->address },
	    { "verdict", MR_STR("defer") }, { "why", mr_str(why) });
}

/* ---- children ------------------------------------------------------------------------------------- */

static size_t
count_of(const struct listener *l, struct mr_str address)
{
	size_t n = 0;

	for (size_t i = 0; i < l->child_n; i++)
		n += l->child[i].is_busy && mr_str_is(address, l->child[i].address);
	return n;
}

/* The child's life: connections come over its socket with what is known of the client. */
static void
run_child(const struct mr_smtpd_conf *conf, int sock)
{
	struct mr_peer_text text;
	struct mr_buf packet;
	int fd;

	give_up_rights(conf);
	mr_buf_init(&packet, sizeof text);
	while (mr_io_recv_packet(sock, &packet, &fd, NULL) == MR_OK && packet.n == sizeof text) {
		struct mr_peer peer = { .is_trusted = false };

		memcpy(&text, packet.p, sizeof text);
		peer.address = mr_str(text.address);
		peer.port = mr_str(text.port);
		peer.server_address = mr_str(text.server_address);
		peer.server_port = mr_str(text.server_port);
		session(conf, fd, fd, &peer);
		shutdown(fd, SHUT_WR);
		close(fd);
		if (mr_io_send_packet(sock, MR_STR("done"), -1, NULL))
			break;
	}
	if (conf->pl)
		mr_confined_end(&conf->pl->confined);
	_exit(0);
}

/* Its socket's end is its end; the parent reaps it later. */
static void
drop_child(struct listener *l, struct child *c)
{
	close(c->sock);
	l->busy_n -= c->is_busy;
	*c = l->child[--l->child_n];
}

static void
become_child(struct listener *l, int parent_end, int sock)
{
	sigset_t none;

	close(l->fd);
	close(l->signal_fd);
	close(l->reserve_fd);
	close(parent_end);
	for (size_t i = 0; i < l->child_n; i++)
		close(l->child[i].sock);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	run_child(&l->now->conf, sock);
}

static struct child *
fork_child(struct listener *l)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		become_child(l, pair[0], pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return NULL;
	}
	l->child[l->child_n] =
	    (struct child){ .pid = pid, .sock = pair[0], .generation = l->generation };
	return &l->child[l->child_n++];
}

/* An idle child of the present configuration, or a new one. */
static struct child *
find_child(struct listener *l)
{
	/* From the end, which drop_child fills up from. */
	for (size_t i = l->child_n; i-- > 0;) {
		struct child *c = &l->child[i];

		if (c->is_busy)
			continue;
		if (c->generation == l->generation)
			return c;
		drop_child(l, c);
	}
	return fork_child(l);
}

static void
serve(struct listener *l, int fd)
{
	const struct mr_smtpd_limit_values *limit = &l->files->limit;
	struct mr_peer_text text = { .address = "" };
	struct mr_peer peer;
	struct child *c;

	mr_peer_of_socket(&peer, &text, fd);
	refresh(l);
	if (l->busy_n >= limit->connections)
		send_away(l, fd, &peer, R_TOO_MANY, "too many connections");
	else if (count_of(l, mr_str(text.address)) >= limit->per_client)
		send_away(l, fd, &peer, R_TOO_MANY, "too many connections of this client");
	else if (!(c = find_child(l)))
		send_away(l, fd, &peer, R_BUSY, strerror(errno));
	else if (mr_io_send_packet(
	             c->sock, (struct mr_str){ (const char *)&text, sizeof text }, fd, NULL)) {
		send_away(l, fd, &peer, R_BUSY, "a child is gone");
		drop_child(l, c);
	} else {
		c->is_busy = true;
		l->busy_n++;
		memcpy(c->address, text.address, sizeof c->address);
	}
	close(fd);
}

/* A child has done its connection, or is gone. */
static void
hear_child(struct listener *l, struct child *c)
{
	struct mr_buf packet;
	int fd = -1;

	mr_buf_init(&packet, 64);
	/* One that speaks unasked has been taken over. */
	if (mr_io_recv_packet(c->sock, &packet, &fd, NULL) || !c->is_busy
	    || ++c->served >= l->files->limit.reuse || c->generation != l->generation)
		drop_child(l, c);
	else {
		c->is_busy = false;
		l->busy_n--;
		c->idle_since_ms = mr_clock_mono_ms();
	}
	if (fd >= 0)
		close(fd);
	mr_buf_free(&packet);
}

static void
drop_idle(struct listener *l)
{
	int64_t before = mr_clock_mono_ms() - IDLE_CHILD_S * 1000;

	for (size_t i = l->child_n; i-- > 0;)
		if (!l->child[i].is_busy && l->child[i].idle_since_ms < before)
			drop_child(l, &l->child[i]);
}

/* Out of descriptors: the spare one takes the connection, so that the client hears it. */
static void
apologize(struct listener *l)
{
	struct mr_peer_text text = { .address = "" };
	struct mr_peer peer;
	int fd;

	close(l->reserve_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		mr_peer_of_socket(&peer, &text, fd);
		send_away(l, fd, &peer, R_BUSY, "no descriptors");
		close(fd);
	} else
		poll(NULL, 0, PAUSE_MS);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_one(struct listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		serve(l, fd);
	else if (errno == EMFILE || errno == ENFILE)
		apologize(l);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		poll(NULL, 0, PAUSE_MS); /* the connection still waits: do not spin */
}

static void
reap(struct listener *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (WIFSIGNALED(status))
			MR_LOG(l->files->log, MR_LOG_FAULT, "session", { "pid", MR_NUM(pid) },
			    { "signal", MR_NUM(WTERMSIG(status)) });
		else if (WEXITSTATUS(status))
			MR_LOG(l->files->log, MR_LOG_FAULT, "session", { "pid", MR_NUM(pid) },
			    { "exit", MR_NUM(WEXITSTATUS(status)) });
}

/* False: the listener was told to end. */
static bool
take_signals(struct listener *l)
{
	struct signalfd_siginfo si;
	bool goes_on = true;

	while (read(l->signal_fd, &si, sizeof si) == (ssize_t)sizeof si)
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			goes_on = false;
		else if (si.ssi_signo == SIGHUP)
			refresh(l);
	reap(l);
	return goes_on;
}

static void
tell_listening(const struct listener *l)
{
	struct mr_peer_text text;
	struct mr_peer peer;

	mr_peer_of_socket(&peer, &text, l->fd);
	MR_LOG(l->files->log, MR_LOG_INFO, "listening", { "address", peer.server_address },
	    { "port", peer.server_port }, { "pid", MR_NUM(getpid()) });
}

#define FIXED_FDS 2

/* Waits for events and takes them.  False: told to end. */
static bool
turn(struct listener *l, struct pollfd *fds)
{
	size_t n = l->child_n;

	fds[0] = (struct pollfd){ .fd = l->signal_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = l->fd, .events = POLLIN };
	for (size_t i = 0; i < n; i++)
		fds[FIXED_FDS + i] = (struct pollfd){ .fd = l->child[i].sock, .events = POLLIN };
	if (poll(fds, FIXED_FDS + n, IDLE_CHILD_S * 1000) < 0)
		return errno == EINTR;
	/* From the end: drop_child puts the last one, already heard, in the place of one that goes. */
	while (n-- > 0)
		if (fds[FIXED_FDS + n].revents)
			hear_child(l, &l->child[n]);
	drop_idle(l);
	if (fds[0].revents && !take_signals(l))
		return false;
	if (fds[1].revents)
		accept_one(l);
	return true;
}

enum mr_status
mr_smtpd_listen(
    int listen_fd, const struct mr_smtpd_files *files, struct mr_spool *spool, struct mr_err *err)
{
	struct listener l = { .files = files, .spool = spool, .fd = listen_fd };
	struct pollfd *fds = calloc(files->limit.connections + FIXED_FDS, sizeof *fds);
	enum mr_status st;
	sigset_t set;

	l.child = calloc(files->limit.connections, sizeof *l.child);
	l.now = malloc(sizeof *l.now);
	if (!fds || !l.child || !l.now) {
		free(fds);
		free(l.child);
		free(l.now);
		return mr_err_set(err, MR_TEMP, "out of memory");
	}
	if ((st = mr_smtpd_load(l.now, files, spool, err)))
		goto out;
	mr_stores_check(&l.now->pl.shared.stores, files->log);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP); /* "reload" of many a tool: never the end */
	sigprocmask(SIG_BLOCK, &set, NULL);
	l.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l.reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Not to block in accept for a client that is gone already. */
	if (l.signal_fd < 0 || fcntl(l.fd, F_SETFL, fcntl(l.fd, F_GETFL) | O_NONBLOCK) < 0) {
		st = mr_err_sys(err, MR_TEMP, "listener");
		goto out;
	}
	tell_listening(&l);
	tzset(); /* once, not in each child */
	while (turn(&l, fds))
		;
	while (l.child_n)
		drop_child(&l, &l.child[0]);
	close(l.signal_fd);
	close(l.reserve_fd);
out:
	mr_smtpd_unload(l.now);
	mr_watch_free(&l.tried);
	free(l.now);
	free(l.child);
	free(fds);
	return st;
}
