/*
 * A path that others must not have had a hand in: opened one directory after
 * the other, no symbolic link followed, every owner and mode looked at.
 */
#ifndef SYS_WALK_H
#define SYS_WALK_H

#include <sys/types.h>

struct walk {
	uid_t owner; /* of the directory; (uid_t)-1: not known yet */
	gid_t group; /* of the last directory that is the owner's */
	int fd;      /* O_PATH, of the directory; -1 */
};

/*
 * Walks the absolute `path`.  Each directory on the way belongs to root or to
 * the owner and is not writable by group or others, unless it is root's and
 * sticky; the last one belongs to the owner, never to root, and is not
 * writable by others.  w->owner is the one that is demanded, or, when not
 * known, learnt from the first directory that is not root's.
 *
 * 0; WALK_CLOSED when the owner became known and his directories shut us out
 * (w->fd is -1: he himself can walk on); or -errno, logged: -EPERM when a
 * rule above is broken, -EINVAL for a path that is not plain.
 */
enum { WALK_CLOSED = 1 };
int walk_open(struct walk *w, const char *path);

#endif
