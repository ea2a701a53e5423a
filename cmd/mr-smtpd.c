/* mr-smtpd - the SMTP server: one session on descriptors 0 and 1, or a listener. */
#include "base/host.h"
#include "base/opt.h"
#include "mail/addr.h"
#include "smtp/listen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: mr-smtpd [-vx] [-D host:port] [-N name] [-R routes] [-Q spool] [-o limit=value ...]\n"
    "                [-u user] [-L address:port] [SPEC]\n";

struct options {
	struct mr_log log;
	struct mr_smtpd_files files;
	const char *listen, *user;
};

static int
fault(const struct mr_log *log, const struct mr_err *err)
{
	MR_LOG(log, MR_LOG_FAULT, "start", { "why", mr_str(err->text) });
	return MR_DEFER;
}

static enum mr_status
take_option(struct options *o, int c, const char *arg, struct mr_err *err)
{
	switch (c) {
	case 'v':
		o->log.is_verbose = true;
		break;
	case 'x':
		o->files.pipe.exec_all = true;
		break;
	case 'D':
		o->files.pipe.resolver = arg;
		break;
	case 'N':
		o->files.host = arg;
		break;
	case 'R':
		o->files.routes = arg;
		break;
	case 'Q':
		o->files.spool = arg;
		break;
	case 'u':
		o->user = arg;
		break;
	case 'L':
		o->listen = arg;
		break;
	default:
		return mr_smtpd_limits_set(&o->files.limit, arg, err);
	}
	return MR_OK;
}

/* inetd makes descriptor 2 the client's, too: neither our log nor what a stage prints may go there.
 * Syslog gets it, as mail.info, or nobody. */
static void
save_log(struct mr_log *log)
{
	struct sockaddr_un syslog = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	struct stat in, err;
	int fd, null = -1;

	if (fstat(0, &in) < 0 || fstat(2, &err) < 0 || !S_ISSOCK(err.st_mode)
	    || in.st_ino != err.st_ino || in.st_dev != err.st_dev)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&syslog, sizeof syslog) == 0
	    && dup2(fd, 2) == 2)
		log->prog = "<22>mr-smtpd";
	else if ((null = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0 || dup2(null, 2) < 0)
		log->fd = -1;
	if (fd >= 0)
		close(fd);
	if (null >= 0)
		close(null);
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

/* The peer by the socket, or by what tcpserver and its kin say in the environment (ucspi-tcp). */
static void
find_peer(struct mr_peer *peer, struct mr_peer_text *text)
{
	const char *address = getenv("TCPREMOTEIP"), *port = getenv("TCPREMOTEPORT"),
	           *name = getenv("TCPREMOTEHOST");
	struct mr_ip ip;

	mr_peer_of_socket(peer, text, 0);
	if (address && mr_ip_parse(&ip, mr_str(address)) == MR_OK) {
		peer->address = mr_ip_text(text->address, &ip);
		peer->port = port && mr_str_num(mr_str(port), 65535, &(uint64_t){ 0 })
		    ? mr_str(port)
		    : mr_str(NULL);
	}
	/* Whoever owns the address writes its name into the DNS: what is none is unknown. */
	if (mr_domain_is_valid(mr_str(name)))
		peer->name = mr_str(name);
	peer->is_trusted = getenv("RELAYCLIENT") != NULL;
}

static int
run(struct options *o)
{
	struct mr_peer_text text;
	struct mr_spool spool;
	struct mr_peer peer;
	struct mr_err err;
	int fd = is_listening(0) ? 0 : -1;
	enum mr_status st;

	if (o->listen && (st = mr_smtpd_bind(o->listen, &fd, &err)))
		return fault(&o->log, &err);
	if (o->user && mr_host_become(o->user, &err))
		return fault(&o->log, &err);
	if (getuid() == 0)
		MR_LOG(&o->log, MR_LOG_WARN, "start", { "why", MR_STR("runs as root; use -u") });
	if ((st = mr_spool_open(&spool, o->files.spool, &err))) {
		if (fd < 0)
			mr_io_write(
			    1, mr_str("421 4.3.0 Temporary problem of this host\r\n"), NULL);
		return fault(&o->log, &err);
	}
	o->files.pipe.will_fork = fd >= 0;
	if (fd >= 0)
		st = mr_smtpd_listen(fd, &o->files, &spool, &err);
	else {
		find_peer(&peer, &text);
		st = mr_smtpd_serve(&o->files, &spool, 0, 1, &peer, &err);
	}
	mr_spool_close(&spool);
	return st ? fault(&o->log, &err) : MR_DUNNO;
}

int
main(int argc, char **argv)
{
	struct options o = { .log = { .prog = "mr-smtpd", .fd = 2 } };
	struct mr_opt opt = { .argc = argc, .argv = argv, .letters = "vxD:N:R:Q:u:L:o:" };
	const char *spool = getenv("MR_SPOOL");
	enum mr_status st = MR_OK;
	struct mr_host host;
	struct mr_err err;
	int c;

	signal(
	    SIGCHLD, SIG_DFL); /* a parent that ignores it would keep stages' exit codes from us */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk */
	if (mr_io_std_fds(&err))
		return fault(&o.log, &err);
	save_log(&o.log);
	if (mr_host_read(&host, &err))
		return fault(&o.log, &err);
	o.files = (struct mr_smtpd_files){ .log = &o.log,
		.host = host.name,
		.spool = spool ? spool : MR_SPOOL_DEFAULT,
		.pipe = { .log = &o.log, .bin_dir = host.bin_dir, .path = getenv("PATH") } };
	mr_smtpd_limits_init(&o.files.limit);
	while (st == MR_OK && (c = mr_opt_next(&opt, &err)) > 0)
		st = take_option(&o, c, opt.arg, &err);
	if (st == MR_OK && c == 0 && argc - opt.at <= 1) {
		o.files.spec = argv[opt.at];
		o.files.pipe.host = o.files.host;
		if (mr_domain_is_valid(mr_str(o.files.host)))
			return run(&o);
		mr_err_set(&err, MR_USAGE, "our name '%s' is no host name; use -N", o.files.host);
	} else if (st == MR_OK && c == 0)
		mr_err_set(&err, MR_USAGE, "more than one spec");
	mr_opt_usage("mr-smtpd", &err, usage_text);
	return MR_DEFER;
}
