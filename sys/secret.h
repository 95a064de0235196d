/*
 * A file with a secret of our own, made when it is first needed.
 */
#ifndef SYS_SECRET_H
#define SYS_SECRET_H

#include "mail/str.h"
#include "sys/identity.h"

enum {
	SECRET_MIN = 16,  /* octets of a line: less could be guessed */
	SECRET_MAX = 1024 /* octets of the file */
};

/*
 * Reads `path` into *b: lines of SECRET_MIN octets at least.  With `make`, a
 * file that is not there is made, with one random line; whoever else makes it
 * at this moment, both read the same.  0 or -errno, logged (-ENOENT without
 * `make` is not): -EPERM when it is another's or can be read by others.
 */
int secret_read(
    const struct identity *self, const char *path, bool make, struct buf *b);

/* The next line off the front of *lines; false at their end. */
bool secret_next(struct str *lines, struct str *line);

#endif
