/*
 * Content on its way to a server: stored with LF line ends, sent with CR LF,
 * a dot doubled that begins a line, and the end, RFC 5321 4.5.2.  What leaves
 * here never has an LF without its CR or a CR without its LF: nobody behind
 * can see an end, or a line, where there was none.
 */
#ifndef MAIL_WIRE_H
#define MAIL_WIRE_H

#include "mail/str.h"

enum {
	WIRE_TIMES = 2,     /* octets that one octet can become */
	WIRE_END_OCTETS = 5 /* ... and the end takes, at most */
};

struct wire {
	bool within; /* a line has begun */
};

/* All zero is the start.  Appends what the octets become, WIRE_TIMES as many
 * at most.  A CR, which only mail of `bare-newline normalize` has, is sent as
 * a blank. */
void wire_put(struct wire *w, struct str content, struct buf *out);

/* The end of the content: a line that is open is ended, then the dot. */
void wire_end(struct wire *w, struct buf *out);

/* What a whole content is like; all zero is the start, feed it in pieces. */
struct wire_sum {
	uint64_t octets; /* without doubled dots, with CR LF */
	size_t line;     /* of the line being read ... */
	size_t longest;  /* ... and of the longest, without its end */
	bool beyond_ascii;
};
void wire_add(struct wire_sum *s, struct str content);

#endif
