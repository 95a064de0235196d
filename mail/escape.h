/*
 * Text of strangers in a message of ours: nothing of it ends a line, and
 * nothing is put out that an old terminal or a 7-bit hop would not like.
 */
#ifndef MAIL_ESCAPE_H
#define MAIL_ESCAPE_H

#include "mail/str.h"

enum {
	ESCAPE_MAX = 700, /* octets of a text: RFC 3461's ORCPT has 500 */
	ESCAPE_ROOM = ESCAPE_MAX + 16 /* ... and what its last one takes */
};

/*
 * Printing ASCII as it is; beyond it, what neither moves nor breaks a line as
 * UTF-8 or, without utf8, as \x{20AC} (RFC 6533 3); all else as "?".  Behind
 * ESCAPE_MAX octets comes "...".
 */
void escape_put(struct buf *b, struct str s, bool utf8);

/* The same of xtext, RFC 3461 4, decoded; what is none is put as it is. */
void escape_xtext(struct buf *b, struct str s, bool utf8);

/* An address; a bare local name is one of this host's. */
void escape_address(
    struct buf *b, struct str address, struct str hostname, bool utf8);

/* Letters, digits, "." and "-" (neither of them first), all else as "-", at
 * most max octets: a host name, or an identifier in one. */
void escape_token(struct buf *b, struct str s, size_t max);

#endif
