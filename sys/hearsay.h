/*
 * What `queue -t` and `queue -T` say, and how it is said to people.  A line
 * is fields with tabs between them, printable ASCII:
 *
 *	dns	validating|insecure		names were looked up
 *	way	host address port kind tls secure user
 *						one line for each address
 *	call	open|failed level status text	with -T, of the way above
 *	rcpt	taken|later|never status text	likewise: to a test's RCPT
 *	none	later|never status text		there is no way
 *
 * kind is smtp or lmtp; tls is unix, may, must, at-once, any or dane; secure
 * is yes or no; user may be empty.
 */
#ifndef SYS_HEARSAY_H
#define SYS_HEARSAY_H

#include <stdbool.h>

#include "mail/str.h"

enum { HEARSAY_FIELDS = 8 };

struct hearsay {
	unsigned n;
	struct str field[HEARSAY_FIELDS]; /* missing ones are empty */
};

/* Views into the line.  False: it is none of these (a line of the log). */
bool hearsay_parse(struct str line, struct hearsay *h);

/* "mx.example.net [192.0.2.1]:25" */
void hearsay_put_host(struct buf *b, const struct hearsay *way);

/* "TLS when it is offered, whoever answers; ..." */
void hearsay_put_level(struct buf *b, const struct hearsay *way);

#endif
