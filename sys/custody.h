/*
 * A message between its first octet and its 250: in memory while it is small,
 * in a file without a name when only deliver wants it, in a file of the queue
 * when that may keep it.
 */
#ifndef SYS_CUSTODY_H
#define SYS_CUSTODY_H

#include "mail/session.h"
#include "sys/entry.h"

struct custody {
	int fd;        /* the file without a name, or -1 */
	uint64_t size; /* octets of content written */
	int64_t arrival_s;
	char name[SPOOL_NAME_MAX]; /* final, and the message's id */
	/* Of the queue: the first one's reverse-path is the sender's, those of
	 * the others are owners of lists, or the sender rewritten.  It alone has
	 * local recipients. */
	unsigned nentries; /* 0: none is made yet */
	struct entry entry[1 + SESSION_OWNERS_MAX];
	unsigned char entry_of[SESSION_RCPT_MAX];
	uint32_t at[SESSION_RCPT_MAX];

	/* who is told of what became of recipient i, set once */
	void (*tell)(
	    void *self, unsigned i, const char *event, const struct verdict *v);
	void *self;
};

/* What became of a recipient, for tell. */
#define CUSTODY_STORED "stored"
#define CUSTODY_DEFERRED "deferred"
#define CUSTODY_REFUSED "refused"
#define CUSTODY_QUEUED "queued"

void custody_init(struct custody *c);

/* A message begins; c->name is its id from here on.  0 or -errno. */
int custody_open(struct custody *c, int64_t now_s);

/* As host->write, commit and close of mail/session.h. */
int custody_write(
    struct custody *c, const struct session *s, struct str content);
void custody_commit(struct custody *c, const struct session *s, struct str rest,
    struct verdict *v);
void custody_close(struct custody *c);

#endif
