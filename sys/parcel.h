/*
 * A queue file as the one who carries it sees it: its envelope, recipients by
 * number, and its content.  The file is read only, and nothing of it is kept
 * in memory but where things are.
 */
#ifndef SYS_PARCEL_H
#define SYS_PARCEL_H

#include <stdint.h>
#include <sys/types.h>

#include "mail/encode.h"
#include "mail/masquerade.h"
#include "mail/qfile.h"
#include "mail/wire.h"

enum { PARCEL_READ_MIN = 2 * ENCODE_ROOM };

struct parcel {
	int fd;
	struct qfile_head head;
	char head_octets[QFILE_HEAD_MAX];
	uint64_t content_at, content_end;
	struct wire_sum sum; /* of the content, as parcel_read gives it */
	/* Submitted to us with lines that SMTP does not carry. */
	bool encoded, ended;
	struct encode looked, encode; /* after the first pass, in the second */
	/* As whom it goes out: the head to be sent, and what stands for the
	 * first octets of the content. */
	struct qfile_head guise;
	char sender[ADDR_TEXT_MAX];
	struct str front;
	uint64_t front_for;
	uint64_t read_at;
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

/*
 * From here on it goes out by these rules (NULL: as it is): p->guise is its
 * head, and its content and sum are what they make of it.  Strangers' mail
 * changes in its envelope alone, and so does what is signed.  0 or -errno.
 */
int parcel_dress(struct parcel *p, const struct masquerade *m);

/* The recipient number i; views until the next call.  0 or -errno. */
int parcel_rcpt(struct parcel *p, unsigned i, struct qfile_rcpt *r);

/* Content from its start on, at most max octets, no fewer than PARCEL_READ_MIN.
 * 0 at its end.  What was submitted to us is encoded where it must be to
 * arrive (mail/encode.h). */
void parcel_rewind(struct parcel *p);
ssize_t parcel_read(struct parcel *p, char *to, size_t max);

#endif
