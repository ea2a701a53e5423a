/* dns.h - the one DNS module: questions go out in batches, answers are kept for a connection.
 *
 * Use: mr_dns_add() whatever is surely needed, mr_dns_run() once, then mr_dns_peek().  mr_dns_get()
 * is all three for one question. */
#ifndef MR_DNS_DNS_H
#define MR_DNS_DNS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

#define MR_DNS_PORT        53u
#define MR_DNS_SERVER_MAX  4u
#define MR_DNS_RESOLV_CONF "/etc/resolv.conf"
#define MR_DNS_BATCH_MAX   256u       /* questions that wait for one run */
#define MR_DNS_SOCKET_MAX  64u        /* in use at a time; other questions queue behind them */
#define MR_DNS_RECORD_MAX  512u       /* of one answer */
#define MR_DNS_CNAME_MAX   16u        /* links of a chain */
#define MR_DNS_TCP_MAX     32768u     /* bytes of an answer over TCP */
#define MR_DNS_MEMORY_MAX  (1u << 20) /* bytes of all that is kept until mr_dns_forget */
#define MR_DNS_CARRIED_MAX (2u << 20) /* bytes of a batch's questions or answers on their way */
/* What is over one of the limits is answered MR_DNS_BROKEN, never in part. */

enum mr_dns_type {
	MR_DNS_A = 1,
	MR_DNS_NS = 2,
	MR_DNS_CNAME = 5,
	MR_DNS_SOA = 6,
	MR_DNS_PTR = 12,
	MR_DNS_MX = 15,
	MR_DNS_TXT = 16,
	MR_DNS_AAAA = 28,
	MR_DNS_TLSA = 52,
	MR_DNS_SPF = 99, /* obsolete (RFC 7208 3.1) */
	/* SOA, of a resolver that validates also where that fails: with CD (RFC 4035 3.2.2) */
	MR_DNS_SOA_UNCHECKED = 0x10000 + MR_DNS_SOA
};

/* The type as a packet has it. */
#define MR_DNS_WIRE_TYPE(type) ((unsigned)(type)&0xffffu)

/* What became of a question.  Only the first three are knowledge; from MR_DNS_SERVFAIL on it is an
 * outage, never to be read as "there is none". */
enum mr_dns_result {
	MR_DNS_FOUND,
	MR_DNS_NODATA,   /* the name is there, a record of this type is not */
	MR_DNS_NXDOMAIN, /* no such name (RFC 8020) */
	MR_DNS_SERVFAIL, /* or any other code that is not named here */
	MR_DNS_REFUSED,  /* or a server that does not recurse */
	MR_DNS_TIMEOUT,  /* nothing came, or nothing could be sent */
	MR_DNS_BROKEN /* only packets that are no answer, a limit, or a name that cannot be asked */
};

/* One record of the type asked.  Names are in presentation form, in lower case, without the final dot;
 * "" is the root (RFC 7505's null MX). */
struct mr_dns_record {
	uint32_t ttl_s;
	unsigned preference; /* MX */
	struct mr_ip ip;     /* A, AAAA */
	/* PTR, NS, CNAME, MX: the name; TXT, SPF: all strings joined, any bytes; other types: the data
	 * in presentation form */
	struct mr_str text;
	struct mr_str
	    strings; /* TXT, SPF: the strings, each with its length, one octet, before it */
};

struct mr_dns_answer {
	enum mr_dns_result result;
	bool is_authentic;       /* AD, from a resolver that is trusted for it (RFC 6840 5.7) */
	bool is_truncated;       /* over UDP: TCP was needed */
	struct mr_str canonical; /* the name at the end of the CNAME chain */
	unsigned links;          /* of that chain */
	size_t size;             /* bytes of the packet; 0: there was none */
	const struct mr_dns_record *rec;
	size_t n;
	unsigned ms; /* how long it took, from the start of its run */
};

struct mr_dns_server {
	struct mr_ip ip;
	unsigned port;
	unsigned scope; /* interface of a link-local IPv6 address, else 0 */
};

/* For a process that may not ask itself: brings a batch to one that can, which gives it to mr_dns_serve.
 * *answers stays valid until the next call.  MR_TEMP: nobody there. */
struct mr_dns_carrier {
	enum mr_status (*carry)(
	    void *ctx, struct mr_str questions, struct mr_str *answers, struct mr_err *err);
	void *ctx;
};

/* Whom to ask, or with `fixture` nobody: the file has the answers (dns_fixture.h). */
struct mr_dns_conf {
	struct mr_dns_server server[MR_DNS_SERVER_MAX]; /* in the order to be asked */
	size_t server_n;
	unsigned attempt_ms; /* wait for an answer before the next server; doubles each round */
	unsigned attempts;   /* rounds over all servers */
	bool is_ad_trusted;  /* believe AD of servers that are not on loopback, too */
	const char *fixture; /* path, of the caller; NULL: the servers */
	const struct mr_dns_carrier *carrier; /* of the caller; instead of all above; may be NULL */
	size_t memory_max;                    /* bytes; 0: MR_DNS_MEMORY_MAX */
	/* A zone file (RFC 1035 5): what is in that zone is answered out of it, as if it were published,
	 * all else by the above; paths and names are the caller's.  NULL: none. */
	const char *zone;
	const char *zone_origin; /* of its relative names, before the first $ORIGIN */
};

/* Reads resolv.conf(5): nameserver (also "host#port"), options timeout: and attempts:; the rest
 * does not count here.  Without a file or a server: 127.0.0.1.  MR_TEMP if it cannot be read. */
enum mr_status mr_dns_conf_read(struct mr_dns_conf *conf, const char *path, struct mr_err *err);

/* Option -D: one server instead, "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:5353",
 * "2001:db8::1#5353", or "file:PATH" for a fixture (`text` is then kept).  The times are the defaults.
 * MR_USAGE with a reason. */
enum mr_status mr_dns_conf_parse(struct mr_dns_conf *conf, const char *text, struct mr_err *err);

/* Loads what mr_dns_open needs, so that processes forked later need not: it takes milliseconds. */
enum mr_status mr_dns_load(struct mr_err *err);

/* A resolver with its memory of answers.  Not shared between processes; opened after the fork. */
struct mr_dns;

/* `conf` is copied.  MR_USAGE: a fixture with a bad line, or nobody to ask; MR_TEMP. */
enum mr_status mr_dns_open(struct mr_dns **dns, const struct mr_dns_conf *conf, struct mr_err *err);
void mr_dns_close(struct mr_dns *dns); /* NULL is fine */

/* Forgets all answers and questions: the connection has ended.  Until then an outage is remembered
 * like any answer.  A long connection may forget between transactions, too. */
void mr_dns_forget(struct mr_dns *dns);

/* Adds a question to the batch (nothing if it is answered or already waiting).  `name`, in
 * presentation form with or without the final dot, is copied; case does not count. */
void mr_dns_add(struct mr_dns *dns, struct mr_str name, enum mr_dns_type type);

/* How many questions wait for a run. */
size_t mr_dns_waiting(const struct mr_dns *dns);

/* Sends all that waits, returns when all is answered or at `deadline_ms` (mr_clock_mono_ms); what is
 * left then is an outage. */
void mr_dns_run(struct mr_dns *dns, int64_t deadline_ms);

/* The answer, or NULL if the question was never run.  Owned by `dns`, until mr_dns_forget. */
const struct mr_dns_answer *
mr_dns_peek(const struct mr_dns *dns, struct mr_str name, enum mr_dns_type type);

/* The same, and without an answer the question is added. */
const struct mr_dns_answer *
mr_dns_want(struct mr_dns *dns, struct mr_str name, enum mr_dns_type type);

/* The answer; asks now, with what else waits, if need be.  Never NULL. */
const struct mr_dns_answer *
mr_dns_get(struct mr_dns *dns, struct mr_str name, enum mr_dns_type type, int64_t deadline_ms);

/* The other end of a carrier: asks what is in `questions`, by the deadline that stands in it and by
 * `deadline_ms`, and adds the answers to `answers`.  The questions may be any bytes; at most
 * MR_DNS_BATCH_MAX are answered, and what does not fit into the buffer is not. */
void mr_dns_serve(
    struct mr_dns *dns, struct mr_str questions, int64_t deadline_ms, struct mr_buf *answers);

/* Counts since the opening, for benches and -v. */
struct mr_dns_stats {
	uint64_t batches; /* runs that asked something: round trips */
	uint64_t questions;
	uint64_t packets; /* sent over UDP */
	uint64_t tcp;     /* connections */
	uint64_t foreign; /* packets that were no answer to what was asked */
	size_t memory;    /* bytes kept now */
};
struct mr_dns_stats mr_dns_stats(const struct mr_dns *dns);

#endif
