/* log.c - lib/base/log. */
#include "base/log.h"

#include "../tap.h"

#include <fcntl.h>
#include <unistd.h>

static char got[2 * MR_LOG_LINE_MAX];

/* What the log has written since the last call. */
static struct mr_str
said(int fd)
{
	ssize_t n = read(fd, got, sizeof got - 1);

	return (struct mr_str){ got, n > 0 ? (size_t)n : 0 };
}

static void
long_lines(const struct mr_log *log, int fd)
{
	char big[MR_LOG_LINE_MAX + 1];
	struct mr_str line, s = { big, sizeof big };

	memset(big, 'x', sizeof big);
	MR_LOG(log, MR_LOG_INFO, "e", { "a", MR_STR("1") }, { "big", s }, { "b", MR_STR("2") });
	is(said(fd), "mr-x: info event=e a=1 b=2 cut=1\n", "a field that does not fit is left out");
	memset(big, '\n', sizeof big);
	s.n = MR_LOG_LINE_MAX / 2;
	MR_LOG(log, MR_LOG_INFO, "e", { "big", s }, { "b", MR_STR("2") });
	is(said(fd), "mr-x: info event=e b=2 cut=1\n", "also if only its escapes do not fit");

	memset(big, 'x', sizeof big);
	s.n = MR_LOG_LINE_MAX - sizeof "mr-x: info event=e b= cut=1";
	MR_LOG(log, MR_LOG_INFO, "e", { "b", s });
	line = said(fd);
	ok(line.n == MR_LOG_LINE_MAX - sizeof " cut=1" + 1 && line.p[line.n - 1] == '\n'
	        && memchr(line.p, '\n', line.n) == line.p + line.n - 1,
	    "the longest line: %zu", line.n);
	s.n++;
	MR_LOG(log, MR_LOG_INFO, "e", { "b", s });
	is(said(fd), "mr-x: info event=e cut=1\n", "one more byte");
}

int
main(void)
{
	int fd[2];
	struct mr_log log = { .prog = "mr-x" };

	if (pipe2(fd, O_NONBLOCK) < 0)
		return 1;
	log.fd = fd[1];
	MR_LOG(&log, MR_LOG_INFO, "rcpt", { "id", MR_STR("1.2") }, { "none", { NULL, 0 } },
	    { "sender", MR_STR("") }, { "rcpt", MR_STR("a\nb") }, { "ms", MR_NUM(-12) });
	is(said(fd[0]), "mr-x: info event=rcpt id=1.2 sender=\"\" rcpt=\"a\\x0ab\" ms=-12\n",
	    "a line");
	MR_LOG(&log, MR_LOG_DEBUG, "e", { "a", MR_STR("1") });
	is(said(fd[0]), "", "debug is silent");
	log.is_verbose = true;
	MR_LOG(&log, MR_LOG_DEBUG, "e", { "a", MR_STR("1") });
	is(said(fd[0]), "mr-x: debug event=e a=1\n", "unless asked for");
	MR_LOG(&log, MR_LOG_WARN, "e", { "a", MR_STR("1") });
	is(said(fd[0]), "mr-x: warn event=e a=1\n", "warn");
	mr_log_write(&log, MR_LOG_FAULT, "e", NULL, 0);
	is(said(fd[0]), "mr-x: fault event=e\n", "fault, no fields");
	MR_LOG(NULL, MR_LOG_FAULT, "e", { "a", MR_STR("1") });
	ok(true, "no log is no fault");
	long_lines(&log, fd[0]);
	is(MR_NUM(INT64_MIN), "-9223372036854775808", "the longest number");
	log.fd = -1;
	MR_LOG(&log, MR_LOG_FAULT, "e", { "a", MR_STR("1") });
	ok(true, "a closed log is no fault");
	return done_testing();
}
