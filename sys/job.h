/*
 * One message in a store worker: its recipients as they come in, and one copy
 * for every mailbox among them, however often it is reached.
 */
#ifndef SYS_JOB_H
#define SYS_JOB_H

#include "mail/request.h"
#include "mail/str.h"
#include "sys/maildir.h"
#include "sys/mbox.h"
#include "sys/plan.h"

enum {
	JOB_RCPTS = 4096, /* the most recipient-limit allows */
	JOB_COPIES = 4096,
	JOB_LINKS = 8192, /* from recipients to copies */
	JOB_TEXT = 1024 * 1024
};

struct copy {
	struct box box;     /* path and home are followed by NUL */
	struct str address; /* for Delivered-To: the first that led here */
	struct verdict outcome;
	struct maildir maildir;
	struct mbox mbox;
};

struct rcpt {
	struct verdict verdict; /* of the plan */
	unsigned first, n;      /* its links */
};

struct job {
	unsigned nrcpts, ncopies, nlinks;
	bool changed; /* a home is not as it was when the plan was made */
	struct rcpt rcpt[JOB_RCPTS];
	struct copy copy[JOB_COPIES];
	unsigned short link[JOB_LINKS];
	struct buf room;
	char text[JOB_TEXT];
};

void job_clear(struct job *j);

/*
 * Adds a recipient from a record "R", address, plan.  What does not fit, or
 * is not understood, becomes a recipient that is refused for now.  False only
 * when not even that is possible: the peer sends more than JOB_RCPTS.
 */
bool job_add(struct job *j, struct str record);

/* A verdict whose texts live as long as the job. */
struct verdict job_keep(struct job *j, const struct verdict *v);

/* Can every recipient be settled now, one way or the other? */
bool job_is_settled(const struct job *j);

/* What recipient i hears: the gravest outcome of its copies, or its plan's
 * verdict when it has none. */
struct verdict job_verdict(const struct job *j, unsigned i);

#endif
