/*
 * Landlock, as far as the running kernel has it: which files, ports and other
 * processes a program of ours can reach once it is locked in.
 */
#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H

#include "sys/sandbox.h"

/*
 * A ruleset for the program; dir is the directory it works in, or -1.  The
 * version of Landlock, 0 and *ruleset_fd -1 without it (decided by the version
 * query alone), or -errno, logged.
 */
int landlock_make(enum sandbox_program program, int dir, int *ruleset_fd);

/* For good.  0 or -errno, logged. */
int landlock_enter(int ruleset_fd);

#endif
