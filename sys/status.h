/*
 * How it goes: the queue, room on the disk, walls, sockets, versions.
 */
#ifndef SYS_STATUS_H
#define SYS_STATUS_H

#include "sys/conf.h"

/* Prints it, for people or as one JSON object.  An exit code: 0, or
 * EX_NOPERM when the queue is not the caller's to read (the rest is
 * printed). */
int status_print(const struct conf *c, bool json);

#endif
