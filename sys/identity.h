/*
 * Who a process is: becoming deliver's own user, a user for files alone, or a
 * user for good.  Never uid 0.
 */
#ifndef SYS_IDENTITY_H
#define SYS_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	uid_t uid; /* our own */
	gid_t gid;
	bool privileged; /* may take the identity of others */
	bool listed;     /* the user database knew our uid at the start */
};

/*
 * At start: as root becomes `user` with CAP_SETUID and CAP_SETGID
 * and nothing else; started with these two, keeps exactly them; otherwise
 * it is an ordinary user's deliver.  Sets no_new_privs.  0 or -errno, logged;
 * -ENOENT when there is no such user.
 */
int identity_start(struct identity *self, const char *user);

/* No capability any more, for this process.  0 or -errno. */
int identity_disarm(void);

/*
 * The user's file-system identity from here on, verified, for a privileged
 * self; otherwise uid must be our own.  -EPERM, never a wrong identity: the
 * process ends when its own cannot be told.
 */
int identity_assume(const struct identity *self, uid_t uid, gid_t gid);

/* For good: every id is the user's, no group beside, no capability. */
int identity_become(const struct identity *self, uid_t uid, gid_t gid);

#endif
