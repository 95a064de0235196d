/*
 * Replies of a server, RFC 5321 4.2 and RFC 2033, as a client hears them.
 * The server is a stranger: what it says is bounded, and what is kept of it is
 * printable.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "mail/str.h"

enum {
	REPLY_TEXT_MAX = 160,  /* octets kept of the text of all lines */
	REPLY_STATUS_MAX = 9,  /* "5.123.123" */
	REPLY_LINES_MAX = 200, /* RFC 5321 sets no limit */
	REPLY_OCTETS_MAX = 64 * 1024
};

enum reply_answer {
	REPLY_DONE = 1, /* a whole reply */
	REPLY_BAD = 2   /* no reply at all; the connection is of no use */
};

enum reply_at {
	REPLY_CODE, /* within the three digits */
	REPLY_MARK, /* what follows them */
	REPLY_TEXT,
	REPLY_CR /* CR: LF must follow */
};

/* All zero is a reply of which nothing has come. */
struct reply {
	unsigned code; /* 200 to 599 */
	unsigned char nstatus, ntext;
	char status[REPLY_STATUS_MAX]; /* of the last line with a good one */
	char text[REPLY_TEXT_MAX];     /* without status, lines joined by / */
	/* the line being read */
	enum reply_at at;
	unsigned line_code, ndigits, nlines;
	bool last;
	bool in_status; /* the enhanced status may still go on */
	unsigned char nmaybe;
	char maybe[REPLY_STATUS_MAX + 1];
	size_t octets;
};

/*
 * Takes octets off the front of *in, no further than the end of the reply.
 * 0 (more is needed, *in is used up) or an enum reply_answer.
 */
int reply_feed(struct reply *r, struct str *in);

/* The status, or the one that the code alone stands for: "5.0.0". */
struct str reply_status(const struct reply *r);
struct str reply_text(const struct reply *r);

#endif
