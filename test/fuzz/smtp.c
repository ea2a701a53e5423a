/* A whole session of the server with a hostile client.  A byte 1 ends a packet: the client waits for the
 * replies there, as far as the server can tell.  Whatever comes: replies and log are lines of printable
 * ASCII, what was acknowledged is in the spool and nothing else, and no recipient is in a domain that is
 * not ours. */
#include "base/io.h"
#include "smtp/server.h"

#include "../open_table.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX  8192u
#define PACKET_MAX 64u

static char folder[64];

static void
clean(void)
{
	char path[128];

	for (const char *const *p = (const char *const[]){ "/incoming", "/deferred", "", NULL }; *p;
	     p++) {
		snprintf(path, sizeof path, "%s%s", folder, *p);
		rmdir(path);
	}
}

static void
open_spool(struct mr_spool *spool)
{
	if (!folder[0]) {
		snprintf(folder, sizeof folder, "%s/mr-fuzz.XXXXXX",
		    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		must(mkdtemp(folder));
		atexit(clean);
	}
	must(mr_spool_open(spool, folder, NULL) == MR_OK);
}

/* Our end of a socket that gives the packets, then the end of input. */
static int
make_input(struct mr_str in)
{
	struct mr_str packet;
	int pair[2];
	size_t n = 0;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	while (n++ < PACKET_MAX && mr_str_split(&in, '\1', &packet))
		must(packet.n == 0 || send(pair[1], packet.p, packet.n, 0) == (ssize_t)packet.n);
	close(pair[1]);
	return pair[0];
}

static size_t
count_of(struct mr_str s, const char *word) /* at the start of lines */
{
	size_t n = 0, len = strlen(word);

	for (size_t i = 0; i + len <= s.n; i++)
		n += (i == 0 || s.p[i - 1] == '\n') && memcmp(s.p + i, word, len) == 0;
	return n;
}

static struct mr_str
read_back(int fd, struct mr_buf *b)
{
	mr_buf_init(b, 64u << 20);
	must(lseek(fd, 0, SEEK_SET) == 0 && mr_io_read_all(fd, b, NULL) == MR_OK);
	close(fd);
	return mr_buf_str(b);
}

/* Every line begins as it must and is printable ASCII. */
static void
check_lines(struct mr_str text, bool is_log)
{
	struct mr_str line;

	while (text.n && mr_str_split(&text, '\n', &line) && text.p) {
		must(is_log ? mr_str_starts(line, "mr-smtpd: ")
		            : line.n > 4 && line.n < 512 && line.p[0] >= '2' && line.p[0] <= '5'
		            && (line.p[3] == ' ' || line.p[3] == '-') && line.p[--line.n] == '\r');
		for (size_t i = 0; i < line.n; i++)
			must(line.p[i] >= ' ' && line.p[i] <= '~');
	}
	must(text.n == 0);
}

static void
check_message(const struct mr_spool *spool, const char *name)
{
	struct mr_spool_file file;
	struct mr_arena arena;
	struct mr_err err;
	int fd;

	mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
	must(mr_spool_is_id(mr_str(name)));
	must(mr_spool_open_file(spool->incoming_fd, name, &fd, &err) == MR_OK);
	must(mr_spool_read(fd, &file, &arena, &err) == MR_OK);
	must(mr_spool_verify(fd, &file, &err) == MR_OK);
	must(file.env.rcpt_n > 0);
	for (size_t i = 0; i < file.env.rcpt_n; i++) {
		struct mr_str addr = file.env.rcpt[i].addr;
		ptrdiff_t at = mr_str_rchr(addr, '@');

		must(at > 0 && mr_str_is(mr_str_from(addr, (size_t)at + 1), "example.org"));
	}
	close(fd);
	mr_arena_free(&arena);
}

/* How many messages there are; they are gone then. */
static size_t
take_messages(const struct mr_spool *spool)
{
	DIR *dir = fdopendir(openat(spool->dir_fd, "incoming", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	size_t n = 0;

	must(dir);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.') {
			check_message(spool, e->d_name);
			must(unlinkat(spool->incoming_fd, e->d_name, 0) == 0);
			n++;
		}
	closedir(dir);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_log log = { .prog = "mr-smtpd", .is_verbose = true };
	struct mr_peer peer = { .address = MR_STR("192.0.2.1") };
	struct mr_smtpd_conf conf = { .log = &log, .host = "mx.example" };
	struct mr_table *routes = open_text("example.org 127.0.0.1\n", MR_TABLE_ROUTES);
	struct mr_buf replies, lines;
	struct mr_pipeline pl;
	struct mr_spool spool;
	int in, out;

	if (size > INPUT_MAX)
		size = INPUT_MAX;
	open_spool(&spool);
	must(mr_pipeline_open(
	         &pl, NULL, &(struct mr_pipe_conf){ .log = &log, .host = conf.host }, NULL)
	    == MR_OK);
	conf.pl = &pl;
	conf.spool = &spool;
	conf.routes = routes;
	mr_smtpd_limits_init(&conf.limit);
	conf.limit.size = 2048;
	conf.limit.hops = 5;
	in = make_input((struct mr_str){ (const char *)data, size });
	out = memfd_create("replies", 0);
	log.fd = memfd_create("log", 0);
	mr_smtpd_session(&conf, in, out, &peer);
	close(in);
	check_lines(read_back(out, &replies), false);
	check_lines(read_back(log.fd, &lines), true);
	must(take_messages(&spool) == count_of(mr_buf_str(&replies), "250 2.0.0 Ok: queued as "));
	must(count_of(mr_buf_str(&lines), "mr-smtpd: info event=disconnect ")
	        + count_of(mr_buf_str(&lines), "mr-smtpd: debug event=disconnect ")
	    == 1);
	mr_buf_free(&replies);
	mr_buf_free(&lines);
	mr_pipeline_close(&pl);
	mr_table_close(routes);
	mr_spool_close(&spool);
	return 0;
}
