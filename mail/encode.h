/*
 * Mail whose lines are too long for SMTP (RFC 5321 4.5.3.1.6), made such that
 * it arrives as it was written: bodies with a line over 998 octets become
 * quoted-printable, lines of a header are folded where there is a blank.
 * What is signed or encrypted, and what may not be encoded, stays as it is.
 *
 * Twice over the same content, LF line ends, in pieces of any size: first
 * encode_look, then, if it is needed, encode_feed.
 */
#ifndef MAIL_ENCODE_H
#define MAIL_ENCODE_H

#include <stdint.h>

#include "mail/mime.h"
#include "mail/qp.h"
#include "mail/str.h"

enum {
	ENCODE_LINE_MAX = 998, /* octets of a line, without its end */
	ENCODE_ENTITIES = 512, /* that are told apart; others stay */
	ENCODE_ROOM = 8192     /* what one octet more may bring out */
};

/* All zero is the start. */
struct encode {
	struct mime mime;
	bool is_long; /* a line of a header is */
	bool any;     /* a body is, and may be encoded */
	bool begun;   /* a piece of this line went by */
	size_t nline;
	char line[ENCODE_LINE_MAX];
	bool dropping; /* the field is one that is replaced */
	bool raw;      /* a line of a header that cannot be folded */
	size_t nhead;  /* a line of a header on its way out */
	char head[ENCODE_LINE_MAX];
	uint64_t is_long_body[ENCODE_ENTITIES / 64];
	uint64_t is_opaque[ENCODE_ENTITIES / 64];
	struct qp qp;
};

void encode_look(struct encode *e, struct str in);

/*
 * No more octets of the first pass.  True when the second one would change
 * the message; e is ready for it.
 */
bool encode_is_needed(struct encode *e);

/* Takes octets while *out has ENCODE_ROOM free; returns how many. */
size_t encode_feed(struct encode *e, struct str in, struct buf *out);
void encode_finish(struct encode *e, struct buf *out);

#endif
