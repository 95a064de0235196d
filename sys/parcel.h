/*
 * A queue file as the one who carries it sees it: its envelope, recipients by
 * number, and its content.  The file is read only, and nothing of it is kept
 * in memory but where things are.
 */
#ifndef SYS_PARCEL_H
#define SYS_PARCEL_H

#include <stdint.h>
#include <sys/types.h>

#include "mail/qfile.h"
#include "mail/wire.h"

struct parcel {
	int fd;
	struct qfile_head head;
	char head_octets[QFILE_HEAD_MAX];
	uint64_t content_at, content_end;
	struct wire_sum sum; /* of the content */
	/* Whose turn it is, by where they begin. */
	unsigned nrcpt;
	uint64_t rcpt_at[QFILE_RCPT_MAX];
	char rcpt_octets[QFILE_RCPT_OCTETS];
};

/* Opens what the descriptor has; reads all of it once.  0, -EINVAL when it is
 * no queue file or a damaged one, or -errno.  The descriptor stays open. */
int parcel_open(struct parcel *p, int fd);

/* One more recipient who begins there.  0, -E2BIG, or -EINVAL: nobody does. */
int parcel_add_rcpt(struct parcel *p, uint64_t at);

/* The recipient number i; views until the next call.  0 or -errno. */
int parcel_rcpt(struct parcel *p, unsigned i, struct qfile_rcpt *r);

/* Content from *at on, at most max octets; *at moves on.  0 at its end. */
ssize_t parcel_read(const struct parcel *p, uint64_t *at, char *to, size_t max);

#endif
