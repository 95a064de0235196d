/*
 * Lists of addresses as they stand in a header, RFC 5322 3.4: display names,
 * comments, groups, quoted strings, folds.  Only the addresses are made out;
 * what surrounds them is passed over.
 */
#ifndef MAIL_LIST_H
#define MAIL_LIST_H

#include "mail/addr.h"

enum list_answer {
	LIST_END = 1, /* no more */
	LIST_BAD = 2  /* no address; the list goes on behind the next comma */
};

/* All zero but for the text is the start. */
struct list {
	struct str text; /* the value of a field, folded or not */
	size_t at;
	bool in_group;
};

struct list_item {
	struct addr addr;
	struct str text; /* all of it up to the comma, for complaints */
	size_t from;     /* where `text` begins */
	size_t phrase;   /* ... where the < is, or where it ends without one */
	size_t end;      /* behind the last octet of the address */
};

/* The next mailbox: 0 or an enum list_answer.  Bare names are good. */
int list_next(struct list *l, struct list_item *item);

#endif
