/*
 * The directory SPOOL/queue as smtpd knows it: it can create files there, and
 * remove what it created; it neither lists nor opens what others made.
 */
#ifndef SYS_SPOOL_H
#define SYS_SPOOL_H

#include "mail/str.h"

/* "q", 12 digits of seconds, 16 hexadecimal digits, NUL */
enum { SPOOL_NAME_MAX = 30 };

/*
 * Opens SPOOL/queue on descriptor `fd`; makes both when they are missing and
 * we may (as root for _postern-queue:_postern, 3770).  0 or -errno, logged.
 */
int spool_open(const char *spool, int fd);

/* The final name of a message that came at now_s, with 64 random bits in it.
 * 0 or -errno, logged. */
int spool_name(char name[SPOOL_NAME_MAX], int64_t now_s);

/* A new file, open for reading and writing, under the temporary name that
 * belongs to this one ("t" in the place of "q").  The descriptor or -errno,
 * logged. */
int spool_create(const char *name);

/*
 * Makes it last under its final name, locked for us from its first moment
 * there until `fd` is closed everywhere.  0 or -errno, logged: then it has to
 * be removed.  *named: it has its final name, whatever came of it.
 */
int spool_commit(const char *name, int fd, bool *named);

/* Takes the name away, temporary or final; an open descriptor keeps the
 * content.  0 or -errno, logged. */
int spool_forget(const char *name);
int spool_remove(const char *name);

/*
 * True when a message of that size leaves the file system with something to
 * spare: full to the brim, it would fail others than us.
 */
bool spool_has_room(uint64_t size_bytes);

#endif
