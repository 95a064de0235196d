/*
 * The user who runs us, as far as a message has to say who that is.
 */
#ifndef SYS_CALLER_H
#define SYS_CALLER_H

#include <sys/types.h>

#include "mail/addr.h"

enum { CALLER_TEXT_MAX = 1024 };

struct caller {
	struct str name; /* of the account, "uid12345" for one without */
	struct str full; /* from the account's comment, may be empty */
	struct str home; /* may be empty */
	struct buf text;
	char room[CALLER_TEXT_MAX];
};

/*
 * From /etc/passwd, which is read as it is: asking NSS takes longer than all
 * else that we do.  Who is not there is asked for.  The views live in *c.
 */
void caller_find(struct caller *c, uid_t uid);

/* The full name that a comment field holds: up to a comma, & for the name of
 * the account with a capital letter. */
void caller_put_full(struct buf *b, struct str comment, struct str name);

#endif
