/*
 * A reader of a message's header as it streams by (LF line ends), for what a
 * receiver must know: loops (RFC 5321 6.3) and, at submission, what is
 * missing (RFC 6409 8).  It changes nothing and keeps no more than one line
 * of HEADER_LINE_MAX octets; what is longer is looked at up to there.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "mail/str.h"

enum {
	HEADER_LINE_MAX = 1000,
	HEADER_RECEIVED_MAX = 100, /* RFC 5321 6.3 */
	HEADER_DELIVERED_MAX = 100 /* Delivered-To looked at; more is a loop */
};

struct header {
	unsigned nreceived, ndelivered;
	bool over; /* the blank line, or a line that is no field */
	bool loop; /* a limit above, or a Delivered-To of ours */
	bool date, message_id, from; /* a field of that name was there */
	bool is_signed;              /* ... or one that vouches for others */
	bool blank; /* over as headers are: by a blank line, or the end */
	/* True when this Delivered-To value is a recipient of this message. */
	bool (*is_ours)(void *self, struct str value);
	void *self;
	size_t nline; /* the field being read */
	bool cut;     /* ... is longer than line[] */
	char line[HEADER_LINE_MAX];
};

void header_init(
    struct header *h, bool (*is_ours)(void *, struct str), void *self);

/* The next octets of the content, LF line ends, in pieces of any size.  How
 * many of them stand before the header's end, as far as it goes. */
size_t header_feed(struct header *h, struct str text);

/* No more octets: a field still being read is looked at. */
void header_finish(struct header *h);

#endif
