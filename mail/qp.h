/*
 * Quoted-printable, RFC 2045 6.7, of text with LF line ends as it streams by.
 */
#ifndef MAIL_QP_H
#define MAIL_QP_H

#include "mail/str.h"

enum {
	QP_ROOM = 10,    /* octets that one can become, and what waits */
	QP_LINE_MAX = 76 /* octets of a line without its end */
};

struct qp {
	unsigned column;
	char held; /* a blank whose line may end here, or 0 */
};

/*
 * All zero is the start.  Takes octets while *out has QP_ROOM free; returns
 * how many.  A line end stays one; every other octet but printing ASCII is
 * encoded, and so is a "-" that a soft break would put first in a line: no
 * line begins with what a boundary begins with unless it did before.
 */
size_t qp_feed(struct qp *q, struct str in, struct buf *out);

/* The end: what was held.  A last line without an end stays without one. */
void qp_finish(struct qp *q, struct buf *out);

#endif
