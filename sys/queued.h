/*
 * One message of the queue, open: its file is read in pieces and changed in
 * place, one octet or one slot at a time.
 */
#ifndef SYS_QUEUED_H
#define SYS_QUEUED_H

#include <sys/types.h>
#include <time.h>

#include "mail/qfile.h"
#include "sys/qdir.h"

enum {
	QUEUED_BLOCK = 8 * 1024 /* more than a head, or two recipients */
};

struct queued {
	int fd;
	char id[QDIR_NAME_MAX];
	uint64_t size;
	struct timespec mtime; /* when it was opened */
	bool changed;          /* a status, since the last queued_sync */
};

/* Reads the head, then one recipient after the other. */
struct queued_reader {
	int fd;
	unsigned left;     /* recipients */
	uint64_t at;       /* in the file, of room[used] */
	size_t used, have; /* in room[] */
	struct qfile_sum sum;
	char room[QUEUED_BLOCK];
};

enum queued_answer {
	QUEUED_END = 1,     /* no more recipients */
	QUEUED_BAD = 2,     /* not a message, or a damaged one */
	QUEUED_VERSION = 3, /* of another version: left alone */
	QUEUED_BUSY = 4,    /* another pass, or smtpd, has it */
	QUEUED_GONE = 5
};

/* Opens a file of the queue without a lock.  0, QUEUED_BAD (no regular
 * file), QUEUED_GONE, or -errno, logged. */
int queued_open(struct queued *q, const struct qdir *d, const char *name);

/* Locks it.  0, QUEUED_BUSY or QUEUED_GONE (it has no name any more). */
int queued_lock(struct queued *q);

/*
 * Another descriptor of it, for a carrier: to read only, since he may be
 * taken over by whom he calls, and without the lock.  It, or -errno, logged;
 * -ESTALE when the name is another file's by now.
 */
int queued_share(const struct queued *q, const struct qdir *d);

/* Unlocks and closes. */
void queued_close(struct queued *q);

/* The head: views live until the reader's next use.  0, QUEUED_BAD,
 * QUEUED_VERSION or -errno. */
int queued_head(
    struct queued_reader *r, const struct queued *q, struct qfile_head *h);

/* The next recipient and where it begins.  0, QUEUED_END, QUEUED_BAD. */
int queued_next(
    struct queued_reader *r, struct qfile_rcpt *rcpt, uint64_t *offset);

/* The recipient that begins there.  0, QUEUED_BAD or -errno. */
int queued_rcpt(struct queued_reader *r, const struct queued *q,
    uint64_t offset, struct qfile_rcpt *rcpt);

/* Where the content begins, after the last queued_next, and its length. */
uint64_t queued_content(const struct queued_reader *r);
uint64_t queued_content_octets(
    const struct queued_reader *r, const struct queued *q);

/* Every octet is as it was written: 0, QUEUED_BAD, QUEUED_VERSION, -errno. */
int queued_verify(const struct queued *q);

/* One pwrite(2) each.  0 or -errno, logged. */
int queued_set_status(struct queued *q, uint64_t offset, enum qfile_status from,
    enum qfile_status to);
int queued_set_reply(
    struct queued *q, uint64_t offset, struct str code, struct str text);
int queued_set_attempts(struct queued *q, unsigned attempts, int64_t next_s);
int queued_set_held(struct queued *q, bool held);
int queued_set_warned(struct queued *q);

/* What was changed is on stable storage.  0 or -errno, logged. */
int queued_sync(struct queued *q);

#endif
