/*
 * What a lookup found out about one recipient: the verdict, and the boxes
 * where copies of the mail go.  It travels as one record from a lookup worker
 * through the poller, which may keep it for a few seconds, to a store worker.
 */
#ifndef SYS_PLAN_H
#define SYS_PLAN_H

#include <stdint.h>

#include "mail/request.h"
#include "mail/str.h"

enum {
	PLAN_BOXES = 100,    /* of one recipient */
	PLAN_MAX = 48 * 1024 /* octets of a record that holds a plan */
};
_Static_assert((int)PLAN_MAX <= (int)REQUEST_CONTENT_MAX,
    "REQUEST_WHOLE_MAX holds whatever comes to a store worker");

enum box_kind {
	BOX_MAILDIR, /* of a user with a home */
	BOX_WALKED,  /* a Maildir from the users file: every directory on
			 * the way to it is checked */
	BOX_MBOX,
	BOX_LMTP,   /* path is the server's socket */
	BOX_COMMAND /* path is | and a command line, to be run as user */
};

struct box {
	enum box_kind kind;
	uint32_t uid, gid; /* whose it is; LMTP, COMMAND: not used */
	struct str user;
	struct str path; /* absolute, but for BOX_COMMAND */
	/* Reverse-path in the place of the sender's, unless that is the null
	 * one; empty: none.  (The owner of a list.) */
	struct str owner;
	/* The user's home, which held no .forward when it was looked at;
	 * empty: none is to be looked for. */
	struct str home;
};

struct plan {
	struct verdict verdict;
	bool lasting;        /* may be remembered */
	struct str sender;   /* rewritten for the forwards, or empty */
	struct str forwards; /* for request_forward; only VERDICT_FORWARD */
	struct str boxes;    /* for plan_next; those two alone have some */
};

/*
 * A record: request_begin and fields of the caller's, then plan_put, then
 * plan_box for each box.  Too much sets b->full.
 */
void plan_put(struct buf *b, const struct verdict *v, bool lasting);
/* Likewise, with addresses of other hosts as request_forward reads them. */
void plan_put_forwards(struct buf *b, const struct verdict *v,
    struct str sender, struct str forwards);
void plan_box(struct buf *b, const struct box *box);

enum { PLAN_END = 1, PLAN_BAD = 2 };

/* From what follows the caller's fields.  0 or PLAN_BAD; views into s. */
int plan_get(struct str s, struct plan *p);

/* The next box off the front of *boxes.  0, PLAN_END or PLAN_BAD. */
int plan_next(struct str *boxes, struct box *box);

/* Takes one NUL-ended field off the front of *s.  0 or PLAN_BAD. */
int plan_field(struct str *s, struct str *field);
int plan_number(struct str *s, uint64_t max, uint64_t *n);

#endif
