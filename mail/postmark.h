/*
 * The line "From sender date" that some callers of an MDA put in front of a
 * message, as it stands before one in an mbox file.  It is no part of the
 * message.
 */
#ifndef MAIL_POSTMARK_H
#define MAIL_POSTMARK_H

#include "mail/str.h"

enum postmark_at {
	POSTMARK_START, /* within "From ", as far as was seen */
	POSTMARK_LINE,  /* within the rest of its line */
	POSTMARK_OVER
};

/* All zero is the start of a message. */
struct postmark {
	enum postmark_at at;
	unsigned nmatched; /* octets of "From " held back */
};

/*
 * The next octets of the message.  What of them belongs to it is *held (a
 * constant) and then what is returned (a view into `in`).
 */
struct str postmark_skip(struct postmark *m, struct str in, struct str *held);

/* At the end of the message: what was held back and belongs to it. */
struct str postmark_finish(struct postmark *m);

#endif
