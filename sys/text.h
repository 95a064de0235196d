/*
 * Text files of the administrator, kept in memory and read again when they
 * changed.
 */
#ifndef SYS_TEXT_H
#define SYS_TEXT_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "mail/str.h"

/* What tells one state of a file from another. */
struct text_mark {
	int err; /* errno of stat, or 0 */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

void text_mark(struct text_mark *m, const char *path);
bool text_mark_eq(const struct text_mark *a, const struct text_mark *b);

struct text {
	struct text_mark mark;
	bool read;    /* mark and n tell of a read that went well */
	struct buf b; /* over the owner's array */
};

/*
 * Reads `path` into t->b unless it did not change since.  0 (it was as it is),
 * TEXT_NEW (it has been read), or -errno, logged: -ENOENT too, which is not
 * logged; -EFBIG when it does not fit.
 */
enum { TEXT_NEW = 1 };
int text_refresh(struct text *t, const char *path);

#endif
