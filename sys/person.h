/*
 * A user of the system as a process can become him: for good, with his
 * groups, and with no way back.
 */
#ifndef SYS_PERSON_H
#define SYS_PERSON_H

#include <limits.h>
#include <sys/types.h>

#include "mail/str.h"
#include "sys/identity.h"

enum { PERSON_GROUPS = 256, PERSON_NAME_MAX = 64, PERSON_SHELL_MAX = 256 };

struct person {
	uid_t uid;
	gid_t gid;
	int ngroups;
	gid_t group[PERSON_GROUPS];
	char name[PERSON_NAME_MAX + 1];
	char home[PATH_MAX];
	char shell[PERSON_SHELL_MAX];
};

/*
 * Asks the user database.  0, or -errno, logged: -ENOENT there is no such
 * user; -EPERM his uid is 0 or below the minimum, or `self` may not become him.
 */
int person_find(struct person *p, struct str name, uint32_t minimum_uid,
    const struct identity *self);

/* Every id and group, no capability, checked.  0 or -errno. */
int person_become(const struct person *p, const struct identity *self);

#endif
