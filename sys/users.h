/*
 * Local users: of the system (NSS), or of a file with lines "name mailbox".
 * Used by lookup workers alone, since a look-up may take any time.
 */
#ifndef SYS_USERS_H
#define SYS_USERS_H

#include <limits.h>

#include "mail/str.h"
#include "sys/conf.h"
#include "sys/identity.h"
#include "sys/plan.h"
#include "sys/text.h"

enum {
	USERS_NAME_MAX = 64,
	USERS_TEXT_MAX = 1024 * 1024,    /* octets of the users file */
	USERS_FIRST_SYSTEM_AGAIN = 60000 /* and no login shell: nobody, and
					  * the users systemd makes up */
};

enum users_answer {
	USERS_NONE = 1,  /* there is no such user */
	USERS_SYSTEM = 2 /* an account of the system, not a person's */
};

struct users {
	const struct conf *conf;
	const struct identity *self;
	uint32_t minimum_uid;
	struct text file;
};

/* A user and the box that is his; the box's views are into this. */
struct user {
	struct box box;
	char name[USERS_NAME_MAX + 1];
	char path[PATH_MAX];
	char home[PATH_MAX];
	bool borrowed; /* box.home is his only if it belongs to him */
};

/*
 * The user `name`, as it is written, then in lower case.  `domain` is for %d.
 * 0, an enum users_answer, or -errno, logged (it is not known whether there
 * is one, or his mailbox is not to be had now).
 */
int users_find(
    struct users *u, struct str name, struct str domain, struct user *user);

/* Whatever conf says of users: USERS_SYSTEM, USERS_NONE (a person, or nobody)
 * or -errno. */
int users_is_system(const struct users *u, struct str name);

/* The name of a uid into *b.  0, USERS_NONE, or -errno, logged; then there is
 * nothing in *b. */
int users_name(const struct users *u, uid_t uid, struct buf *b);

#endif
