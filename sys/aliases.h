/*
 * The alias file, as it lies there, and the files it includes.
 */
#ifndef SYS_ALIASES_H
#define SYS_ALIASES_H

#include "mail/str.h"
#include "sys/identity.h"
#include "sys/text.h"

enum {
	ALIASES_TEXT_MAX = 4 * 1024 * 1024, /* octets of the alias file */
	ALIASES_INCLUDE_MAX = 1024 * 1024   /* ... of all included files
						 * that are open at a time */
};

enum { ALIASES_NONE = 1 };

/* Reads the file if it changed; none is an empty one.  0 or -errno. */
int aliases_refresh(struct text *file, const char *path);

/* The targets of `name`, raw: for alias_target_next.  0 or ALIASES_NONE.  The
 * view lives until the next refresh. */
int aliases_find(const struct text *file, struct str name, struct str *targets);

/*
 * Appends the text of an included file to *b.  Only a regular file that
 * belongs to root (or to an ordinary user's deliver's user) and that nobody
 * else can write.  0 or -errno, logged; -EPERM when it is not such a file.
 */
int aliases_include(
    const struct identity *self, struct str path, struct buf *b);

#endif
