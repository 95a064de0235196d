/*
 * The directory SPOOL/queue as smtpd knows it: it can create files there, and
 * remove what it created; it neither lists nor opens what others made.
 */
#ifndef SYS_SPOOL_H
#define SYS_SPOOL_H

#include "mail/str.h"

enum { SPOOL_NAME_MAX = 20 }; /* a letter, 16 hexadecimal digits, NUL */

/*
 * Opens SPOOL/queue on descriptor `fd`; makes both when they are missing and
 * we may (as root for _postern-queue:_postern, 3770).  0 or -errno, logged.
 */
int spool_open(const char *spool, int fd);

/* A name of 64 random bits for a message.  0 or -errno, logged. */
int spool_name(char name[SPOOL_NAME_MAX]);

/* A new file of that name, open for reading and writing.  The descriptor or
 * -errno, logged. */
int spool_create(const char *name);

/* Takes the name away; an open descriptor keeps the content. */
int spool_remove(const char *name);

/*
 * True when a message of that size leaves the file system with something to
 * spare: full to the brim, it would fail others than us.
 */
bool spool_has_room(uint64_t size_bytes);

#endif
