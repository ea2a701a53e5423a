/* run_pipe.h - a pipeline made of small scripts, and what it does, for tests. */
#ifndef MR_TEST_RUN_PIPE_H
#define MR_TEST_RUN_PIPE_H

#include "pipe/run.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"

#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/mr-run.XXXXXX";
static struct mr_log logger = { .prog = "test" };
static struct mr_pipe_conf conf = { .log = &logger, .host = "mx.example" };
static struct mr_pipeline pl;
static struct mr_run run;
static struct mr_spool spool;
static struct mr_buf seen; /* "stage=code " of what ran, "stage- " of what was skipped */
static struct mr_err err;
static struct mr_result r;

static inline void
die(const char *what)
{
	printf("Bail out! %s: %s\n", what, err.text);
	exit(1);
}

static inline void
write_file(const char *name, const char *text, int mode)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || mr_io_write(fd, mr_str(text), &err))
		die(path);
	close(fd);
}

static inline void
on_step(void *ctx, const struct mr_trace *t)
{
	(void)ctx;
	if (t->skipped)
		mr_buf_addf(&seen, "%s- ", t->stage->name);
	else
		mr_buf_addf(&seen, "%s=%d%s ", t->stage->name, t->code, t->is_broken ? "!" : "");
}

static inline enum mr_status
open_spec(const char *text)
{
	char path[300];

	snprintf(path, sizeof path, "%s/spec", dir);
	write_file("spec", text, 0600);
	return mr_pipeline_open(&pl, path, &conf, &err);
}

static inline void
end_run(void)
{
	mr_run_free(&run);
	mr_pipeline_close(&pl);
}

/* A new connection with this spec. */
static inline void
begin(const char *text)
{
	mr_buf_clear(&seen);
	if (ftruncate(logger.fd, 0) < 0 || lseek(logger.fd, 0, SEEK_SET) < 0 || open_spec(text))
		die(text);
	mr_run_init(&run, &pl);
	run.trace = on_step;
}

static inline void
ran(const char *want, const char *name)
{
	is(mr_buf_str(&seen), want, name);
	mr_buf_clear(&seen);
}

static inline bool
logged(const char *part)
{
	char text[20000];
	ssize_t n = pread(logger.fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return strstr(text, part);
}

static inline enum mr_verdict
upto(enum mr_phase phase)
{
	mr_run_upto(&run, phase, &r);
	return r.verdict;
}

static inline enum mr_verdict
rcpt(const char *addr, uint32_t classes)
{
	mr_run_begin_rcpt(&run);
	mr_run_give(&run, MR_RCPT, classes);
	mr_run_rcpt(&run, mr_str(addr), &r);
	return r.verdict;
}

/* The data phase over a message; what it is afterwards is in `after`. */
static inline enum mr_verdict
data(const char *message, char *after, size_t after_cap)
{
	struct mr_spool_msg msg;
	ssize_t n;

	if (mr_spool_begin(&spool, &msg, &err) || mr_spool_append(&msg, mr_str(message), &err)
	    || mr_spool_flush(&msg, &err))
		die("message");
	mr_run_data(&run, &msg, &spool, &r);
	n = pread(msg.fd, after, after_cap - 1, 0);
	after[n > 0 ? n : 0] = '\0';
	mr_spool_abort(&msg);
	return r.verdict;
}

static inline enum mr_verdict
any_data(void)
{
	char after[100];

	return data("A: b\r\n\r\nc\r\n", after, sizeof after);
}

static inline void
front(const char *want, const char *name)
{
	struct mr_buf b;

	mr_buf_init(&b, 2 * MR_FIELDS_MAX);
	mr_run_front(&run, &b);
	if (!is(mr_buf_str(&b), want, name) && b.is_full)
		printf("# full\n");
	mr_buf_free(&b);
}

static const struct {
	const char *name, *text;
} scripts[] = {
	{ "code", "exit $1" },
	/* if_rcpt ADDRESS CODE [TEXT...]: for this recipient */
	{ "if_rcpt", "grep -qx \"recipient=$1\" || exit 0; c=$2; shift 2; echo \"$*\"; exit $c" },
	/* say CODE LINE...: ~ is a blank, % a line end */
	{ "say", "c=$1; shift; for l; do echo \"$l\" | tr '~%' ' \\n'; done; exit $c" },
	/* has LINE: refuses a record without this line */
	{ "has",
	    "cat >\"$0.in.$$\"; for l; do grep -qx -- \"$l\" \"$0.in.$$\" || { echo "
	    "\"action=REJECT 5.7.1 no $l\"; rm \"$0.in.$$\"; exit 100; }; done; rm "
	    "\"$0.in.$$\"" },
	{ "alias",
	    "case $(grep ^recipient=) in\n"
	    "recipient=all@*) echo recipient=b@x.example; echo recipient=c@X.Example;;\n"
	    "recipient=own@*) printf 'original_recipient=no@x\\nrecipient=b@x.example\\n"
	    "original_recipient=list@x.example\\ndsn_notify=NEVER\\n';;\n"
	    "recipient=none@*) ;;\nrecipient=bad@*) echo recipient=-;;\n"
	    "recipient=junk@*) echo junk;;\nrecipient=same@*) echo recipient=same@x.example;;\n"
	    "recipient=99@*) echo action=DUNNO; exit 99;;\n"
	    "recipient=111@*) exit 111;;\nrecipient=many@*) seq -f recipient=r%g@x 9999;;\n"
	    "esac" },
	{ "upper", "tr a-z A-Z | tr -d '\\r'" },
	{ "cr", "printf 'a\\rb\\n'" },
	{ "kill_me", "kill -9 $$" },
	{ "late", "(sleep 1; echo late >\"$1\") & sleep 60" },
	{ "zeros", "head -c 70000 /dev/zero | tr '\\0' a" },
	{ "with_record", "grep -q ^recipient= <&3 && printf '\nX-Record: yes\n'" },
	{ "has_not", "grep -qx -- \"$1\" <&3 && exit 100; exit 0" },
	{ "has_size", "grep -qx \"size=$1\" <&3 || exit 69" },
};

static inline void
write_scripts(void)
{
	char text[2000];

	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		snprintf(text, sizeof text, "#!/bin/sh\n%s\n", scripts[i].text);
		write_file(scripts[i].name, text, 0700);
	}
	write_file("table", "permit 192.0.2.1\nforbid 192.0.2.2\n", 0600);
}

static inline void
remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, 0) < 0)
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
	rmdir(path);
}

static inline void
fixture_begin(char *path, size_t path_cap)
{
	mr_buf_init(&seen, 1 << 16);
	if (!mkdtemp(dir) || (logger.fd = mr_child_memfile(MR_STR(""))) < 0
	    || mr_spool_open(&spool, dir, &err))
		die(dir);
	snprintf(path, path_cap, "%s:/usr/bin:/bin", dir);
	conf.path = path;
	write_scripts();
}

static inline void
fixture_end(void)
{
	mr_spool_close(&spool);
	mr_buf_free(&seen);
	close(logger.fd);
	remove_dir(dir);
}

#endif
