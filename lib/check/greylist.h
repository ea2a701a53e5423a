/* greylist.h - who is known, and how long the others wait. */
#ifndef MR_CHECK_GREYLIST_H
#define MR_CHECK_GREYLIST_H

#include "store/store.h"

#define MR_GREYLIST_DELAY_S  120
#define MR_GREYLIST_WINDOW_S (48 * 3600)
#define MR_GREYLIST_LIFE_S   (36 * 86400)
#define MR_GREYLIST_AUTO_N   5u
#define MR_GREYLIST_REFRESH_N \
	36 /* what is used lives on: written anew at most so often in a life */

struct mr_greylist_policy {
	int64_t delay_s;  /* from the first attempt to one that passes */
	int64_t window_s; /* from the first attempt to its being forgotten */
	int64_t life_s;   /* of what has passed, or was learned, unused */
	uint64_t auto_n;  /* triplets that pass before the client is permitted; 0: never */
};

/* What is asked about; all in lower case. */
struct mr_greylist_query {
	struct mr_str client; /* a domain, or a network */
	struct mr_str domain; /* the client's organisational domain; n is 0: it is a network */
	struct mr_str sender; /* mr_greylist_sender; empty: the null sender */
	struct mr_str rcpt;
};

enum mr_greylist_state {
	MR_GREYLIST_NEW,
	MR_GREYLIST_EARLY,     /* not long enough ago */
	MR_GREYLIST_PASSED,    /* for the first time */
	MR_GREYLIST_KNOWN,     /* this triplet has passed before */
	MR_GREYLIST_CLIENT,    /* enough triplets of this client have */
	MR_GREYLIST_WRITTEN_TO /* our own users write to this domain */
};

struct mr_greylist {
	enum mr_greylist_state state;
	int64_t waited_s; /* since the first attempt: EARLY, PASSED */
	int64_t left_s;   /* NEW, EARLY: until an attempt passes */
};

/* "new", ... */
const char *mr_greylist_word(enum mr_greylist_state state);

/* An attempt at `now_s` (wall clock).  What is known costs one reading transaction, anything else one that
 * writes.  is_trial: tells, and changes nothing.  A clock that goes back makes an attempt the first.
 * MR_TEMP: the store. */
enum mr_status mr_greylist_judge(struct mr_greylist *g, const struct mr_greylist_policy *policy,
    const struct mr_greylist_query *query, bool is_trial, struct mr_store *store, int64_t now_s,
    struct mr_err *err);

/* Our own users write to this organisational domain (lower case). */
enum mr_status mr_greylist_learn(const struct mr_greylist_policy *policy, struct mr_str domain,
    struct mr_store *store, int64_t now_s, struct mr_err *err);

#endif
