/*
 * Giving up root's rights for good.
 */
#ifndef SYS_PRIVILEGE_H
#define SYS_PRIVILEGE_H

/*
 * When we are root: becomes `user` with its group alone and no capability,
 * and makes sure there is no way back.  When we are not: nothing.  0;
 * -ENOENT without such a user; -errno.  Logged.
 */
int privilege_drop(const char *user);

/* Likewise, with another group beside its own, if there is such a group. */
int privilege_become(const char *user, const char *group);

#endif
