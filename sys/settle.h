/*
 * What becomes of a recipient is written into the message's file at once, and
 * what becomes of the message when all its recipients have had their turn.
 */
#ifndef SYS_SETTLE_H
#define SYS_SETTLE_H

#include "sys/conf.h"
#include "sys/queued.h"

struct fate {
	char letter; /* D, W, L or N of sys/carrier.h */
	bool final;  /* the hop was a mailbox, not another host */
	bool logged; /* by the carrier that heard it */
	struct str status, text, remote, tls;
	struct str via; /* the destination, for the log */
};

/* What a recipient becomes by its fate. */
enum qfile_status settle_status(
    enum qfile_status from, unsigned notify, const struct fate *fate);

/* A recipient of q: its status and its last reply.  0 or -errno, logged. */
int settle_rcpt(struct queued *q, uint64_t offset, enum qfile_status from,
    unsigned notify, const struct fate *fate);

/*
 * The same for the last recipient that was not done: now all are, nothing is
 * owed to anybody, and the message goes without a mark.  0; or -errno, logged:
 * then it is still there.
 */
int settle_last(struct qdir *d, struct queued *q, uint64_t offset,
    unsigned attempts, const struct fate *fate);

/*
 * All due recipients of q have a fate.  Gives up what is too old, writes the
 * report that is owed, sets the next attempt, or removes the message.  The
 * file stays open and locked.
 */
enum settle_answer {
	SETTLE_GONE = 1,     /* removed */
	SETTLE_REPORTED = 2, /* stays, and a new message is in the queue */
	SETTLE_BOTH = 3
};
int settle_message(const struct conf *conf, struct qdir *d, struct queued *q);

#endif
