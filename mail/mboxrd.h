/*
 * The inside of an mbox file: every line that could be taken for the one that
 * begins a message, "From " behind any number of ">", gets a ">" more.
 */
#ifndef MAIL_MBOXRD_H
#define MAIL_MBOXRD_H

#include "mail/str.h"

enum { MBOXRD_ROOM = 7 }; /* octets one octet can become, and what waits */

struct mboxrd {
	bool within;       /* how this line begins is known */
	bool begun;        /* an octet of this line is out */
	unsigned nmatched; /* octets of "From " held back */
};

/* All zero is the start.  Takes octets while *out has MBOXRD_ROOM free;
 * returns how many. */
size_t mboxrd_feed(struct mboxrd *m, struct str in, struct buf *out);

/* The end: what was held, a line end if there was none, a blank line. */
void mboxrd_finish(struct mboxrd *m, struct buf *out);

/* "From sender Mon Nov 23 21:13:00 2026", in UTC; the null reverse-path is
 * MAILER-DAEMON, blanks in a sender are written as "-". */
void mboxrd_from(struct buf *b, struct str sender, int64_t seconds);

#endif
