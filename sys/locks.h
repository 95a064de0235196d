/*
 * Which files are locked by somebody, without a lock of one's own: that would
 * make a pass skip what it finds locked.
 */
#ifndef SYS_LOCKS_H
#define SYS_LOCKS_H

#include <stdbool.h>
#include <sys/types.h>

/* Looks.  Where /proc/locks cannot be read nothing is locked. */
void locks_read(void);

/* Was this file locked by flock(2) when locks_read looked? */
bool locks_has(int fd);

#endif
