/*
 * Small files of text, whole, for sys/conf.c.
 */
#ifndef SYS_CONF_FILE_H
#define SYS_CONF_FILE_H

#include <stdbool.h>

#include "mail/str.h"

/* The whole file into *b.  0 or -errno; -EFBIG when it does not fit. */
int conf_slurp(const char *path, struct buf *b);

/* The first line of a small file, trimmed, into *b; false without one. */
bool conf_first_line(const char *path, struct buf *b);

#endif
