/* filter.h - one filter, and the one driver that makes a program of it. */
#ifndef MR_FILTER_FILTER_H
#define MR_FILTER_FILTER_H

#include "base/log.h"
#include "base/watch.h"
#include "dns/dns.h"
#include "dns/orgdomain.h"
#include "mail/answer.h"
#include "store/store.h"

/* Letters that mean the same in every filter; a filter never declares them (DESIGN.md section 2).  Those
 * behind the first are for filters of the envelope, for those whose answer a policy server can give, for
 * filters of the message, for those that ask the DNS, and for those that use the store. */
#define MR_FILTER_LETTERS          "ne:T:v"
#define MR_FILTER_ENVELOPE_LETTERS "i:h:f:r:"
#define MR_FILTER_LOOP_LETTERS     "l"
#define MR_FILTER_MESSAGE_LETTERS  "HE:"
#define MR_FILTER_DNS_LETTERS      "D:N:"
#define MR_FILTER_STORE_LETTERS    "S:"

struct mr_filter_opt {
	char letter;
	const char *arg; /* NULL for a letter without argument */
};

/* What the filters of a process share; all 0 at the start. */
struct mr_filter_shared {
	struct mr_stores stores;
	struct mr_orgdomain *suffixes; /* loaded by the first that needs it */
};

/* Behind all of them. */
void mr_filter_shared_close(struct mr_filter_shared *shared);

/* What a filter is opened with.  All strings live as long as the argument list. */
struct mr_filter_conf {
	const struct mr_log *log;
	struct mr_watch *watch; /* add each file that open reads; may be NULL */
	struct mr_arena *arena; /* lives as long as the filter's state */
	bool is_verbose;        /* -v: say more in the answer's note */
	bool is_trial;          /* a case by hand with -v: tell, and change nothing in the store */
	bool outage_is_open;    /* -e open: what an outage means; -e defer is the default */
	uint64_t time_s;        /* -T, or 0 */
	const struct mr_filter_opt *opt; /* the filter's own letters, in order */
	size_t opt_n;
	char *const *operand;
	size_t operand_n;
	struct mr_filter_shared *shared;

	/* For a filter with `ask` or `uses_dns` only, from the first begin, ask, envelope or message on.  The
	 * conf itself lives as long as the filter's state, too. */
	struct mr_dns *dns;
	int64_t
	    dns_deadline_ms; /* for `message`: until when its lookups may last (mr_clock_mono_ms) */
	struct mr_str our_name; /* -N, or the runner's */

	/* For `message` only, where the process serves other messages, too, else NULL: to be called before
	 * bytes are given to what they may take over, and the process ends with this message. */
	void (*spoil)(void);

	/* For a filter that uses_store: -S, to be touched from begin on; NULL: not given, and open decides
	 * whether the filter can do without. */
	struct mr_store *store;
};

/* All functions but open and one of the work functions may be NULL. */
struct mr_filter {
	const char *name;     /* "mr-access" */
	const char *purpose;  /* one line for -? */
	const char *synopsis; /* own options and operands: "[-cs] table" */
	const char *letters;  /* own letters as for mr_opt_next */
	bool edits;           /* for stages of rcpt marked `edit`: answers with answer->edited */
	bool uses_dns; /* a filter of the message that has questions; one with `ask` need not say */
	uint64_t
	    time_s; /* with `ask` or `uses_dns`: how long its lookups may take, unless -T says */
	bool uses_store; /* has -S */
	const char *const
	    *reads; /* commands whose results it needs, in stages before it; NULL at the end */
	char
	    marks; /* own letter with which exit code 99 speaks against a message: needs a class= of its own */
	/* A filter of the message: without -H prints all of it, behind the answer's fields. */
	bool prints_message;
	/* A filter of the message: it reads secret files, and runs in a child of its own that can. */
	bool has_secrets;

	/* Options, tables, keys.  Before any fork; no socket, no store.  *state is the filter's. */
	enum mr_status (*open)(void **state, const struct mr_filter_conf *conf, struct mr_err *err);

	/* What each process would load for itself at first need, for one that forks many, or checks. */
	enum mr_status (*preload)(void *state, struct mr_err *err);

	/* After the fork, at first use: store, sockets. */
	enum mr_status (*begin)(void *state, struct mr_err *err);

	/* Adds the questions that `envelope` will need, as far as the answers that are there tell, to the
	 * batch of conf->dns; called again after each run until it adds none, before `envelope` at the
	 * latest.  Never waits. */
	enum mr_status (*ask)(void *state, const struct mr_env *env, struct mr_err *err);

	/* One record in, one answer out (initialised by the caller).  A status other than MR_OK is a
	 * fault of ours: MR_DEFER, or what -e says. */
	enum mr_status (*envelope)(
	    void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err);

	/* One message in, from descriptor `fd` at its start, with what is known of it; else as `envelope`. */
	enum mr_status (*message)(void *state, int fd, const struct mr_env *env,
	    struct mr_answer *answer, struct mr_err *err);

	void (*close)(void *state);
};

/* The filters, each in its own file. */
extern const struct mr_filter mr_filter_access;
extern const struct mr_filter mr_filter_alias;
extern const struct mr_filter mr_filter_copy;
extern const struct mr_filter mr_filter_greylist;
extern const struct mr_filter mr_filter_limit;
extern const struct mr_filter mr_filter_dkimsign;
extern const struct mr_filter mr_filter_dkimverify;
extern const struct mr_filter mr_filter_dmarc;
extern const struct mr_filter mr_filter_dnsbl;
extern const struct mr_filter mr_filter_helo;
extern const struct mr_filter mr_filter_mimecheck;
extern const struct mr_filter mr_filter_spf;
extern const struct mr_filter mr_filter_srs;

/* All filters of this package, NULL at the end; and one by its command's name, or NULL. */
extern const struct mr_filter *const mr_filters[];
const struct mr_filter *mr_filter_find(const char *name);

/* One filter, opened; it must not be moved. */
struct mr_filter_run {
	const struct mr_filter *filter;
	struct mr_arena arena;
	struct mr_filter_conf conf;
	void *state;
	bool has_begun;
	struct mr_dns_conf
	    resolver;       /* -D; without it the runner's, or its resolver itself in conf.dns */
	bool has_resolver;  /* -D was given */
	struct mr_dns *dns; /* our own, if nobody gave us one */
	bool is_loop, is_report; /* -l, -n */
	bool is_answer;          /* -H: the answer in its text form */
	uint64_t record_fd;      /* -E, or 0 */
	bool is_by_hand;         /* -i, -h, -f or -r was given: ... */
	struct mr_env by_hand;   /* ... as this record */
};

/* Reads argv (argv[0] is the command's word) and opens the filter.  MR_USAGE with a reason. */
enum mr_status mr_filter_open(struct mr_filter_run *run, const struct mr_filter *filter, int argc,
    char *const *argv, const struct mr_log *log, struct mr_watch *watch,
    struct mr_filter_shared *shared, struct mr_err *err);
void mr_filter_close(struct mr_filter_run *run);

/* For a filter's open: the public suffix list, which is the process's.  MR_TEMP: there is none. */
enum mr_status mr_filter_suffixes(
    const struct mr_filter_conf *conf, const struct mr_orgdomain **list, struct mr_err *err);

/* True if it has questions for the DNS. */
bool mr_filter_asks_dns(const struct mr_filter *filter);

/* For a runner of several filters, after the fork: the filter shares `dns`, unless it has -D. */
void mr_filter_share(struct mr_filter_run *run, struct mr_dns *dns);

/* The resolver that it asks, which is made if need be.  MR_TEMP: there is none. */
enum mr_status mr_filter_dns(struct mr_filter_run *run, struct mr_dns **dns, struct mr_err *err);

/* Adds what the filter will need for `env` to the batch of its resolver.  Run the batch and call again
 * until none is added; then mr_filter_ask.  Does nothing for filters that ask no DNS; a fault comes
 * out in mr_filter_ask. */
void mr_filter_look_ahead(struct mr_filter_run *run, const struct mr_env *env);

/* A transaction begins: a resolver of its own forgets its answers. */
void mr_filter_forget(struct mr_filter_run *run);

/* Asks it: always gives an answer; a fault of ours is logged and becomes MR_DEFER 4.3.0, or MR_DUNNO
 * with -e open. */
void mr_filter_ask(struct mr_filter_run *run, const struct mr_env *env, struct mr_answer *answer);

/* The same for a filter of the message, which is at the start of descriptor `fd`. */
void mr_filter_ask_message(
    struct mr_filter_run *run, int fd, const struct mr_env *env, struct mr_answer *answer);

/* One of the options that give a case by hand: -i -h -f -r, as client_address, helo_name, sender,
 * recipient.  MR_USAGE with a reason. */
enum mr_status
mr_filter_by_hand(struct mr_env *env, char letter, const char *arg, struct mr_err *err);

/* The whole program: options, stdin, -l, -n, output on fd 1, log on fd 2.  Returns the exit code. */
int mr_filter_main(const struct mr_filter *filter, int argc, char **argv);

#endif
