/*
 * The addresses in a field of a header, RFC 5322 3.4, one after the other:
 * where each stands, so that it can be replaced and all around it left as it
 * is.  Quoted strings, comments, groups and encoded words (RFC 2047) are
 * passed over whole.
 */
#ifndef MAIL_MAILBOXES_H
#define MAIL_MAILBOXES_H

#include "mail/str.h"

/* The value of a field, its folds in it; `next` begins with 0. */
struct mailboxes {
	struct str text;
	size_t next;
};

/* Offsets in the text. */
struct mailbox {
	size_t at, end;       /* of the address itself, no brackets */
	size_t outer, beyond; /* ... with its brackets */
	bool named;           /* there is a display name */
};

enum mailboxes_answer {
	MAILBOXES_END = 1,
	MAILBOXES_BAD /* something is not closed: nothing can be said */
};

/* 0 and what may be an address (mail/addr.h tells), or an answer above. */
int mailboxes_next(struct mailboxes *m, struct mailbox *b);

#endif
