/*
 * The directory SPOOL/queue as the queue pass knows it: it lists, opens and
 * removes.  Names come in the order of the directory, a few at a time: a
 * hundred thousand of them need no memory here.
 */
#ifndef SYS_QDIR_H
#define SYS_QDIR_H

#include <sys/types.h>

#include "mail/str.h"

enum {
	QDIR_NAME_MAX = 64, /* with the NUL; a longer one is not ours */
	QDIR_BLOCK = 32 * 1024,
	QDIR_TEMPORARY_S = 36 * 3600 /* nobody writes a message for longer */
};

struct qdir {
	int fd;
	const char *spool;
	size_t at, n;     /* in block[] */
	unsigned strange; /* names that are not ours, since the rewind */
	_Alignas(8) char block[QDIR_BLOCK];
};

/* Makes SPOOL, SPOOL/queue and SPOOL/bad when they are missing and we may: as
 * root for _postern-queue, who opens them afterwards. */
void qdir_make(const char *spool);

/* Opens SPOOL/queue.  0 or -errno, logged. */
int qdir_open(struct qdir *d, const char *spool);

/* Is the directory ours, or are we root?  What an operator must be. */
bool qdir_is_ours(const char *spool);

/* Begins again with the first name. */
void qdir_rewind(struct qdir *d);

/* The next name of a message.  0; QDIR_END; -errno, logged.  Temporary files
 * that nobody can still be writing are removed on the way. */
enum { QDIR_END = 1 };
int qdir_next(struct qdir *d, char name[QDIR_NAME_MAX]);

/* May be the name of a message: letters, digits, dots; no temporary file. */
bool qdir_is_name(struct str name);

/* Moves what is no message, or no longer one, to SPOOL/bad and logs it. */
void qdir_reject(struct qdir *d, const char *name, const char *why);

/* A name that is gone already is no error.  0 or -errno, logged. */
int qdir_remove(struct qdir *d, const char *name);

/* Names that came and went are on stable storage.  0 or -errno, logged. */
int qdir_sync(struct qdir *d);

#endif
