/*
 * The octets of a message, with LF line ends: in a file, or in memory.
 */
#ifndef SYS_SOURCE_H
#define SYS_SOURCE_H

#include <stdint.h>
#include <sys/types.h>

#include "mail/str.h"

struct source {
	int fd;         /* -1: in memory */
	uint64_t start; /* where in the file it begins */
	uint64_t size;  /* octets */
	struct str all; /* in memory; lives as long as its owner says */
};

/*
 * Octets from offset `at` on, like pread(2), which is tried again when a
 * signal comes: their number, at most max and never 0 while at < size, or
 * -errno.  A file that is shorter than `size` is -EIO.
 */
ssize_t source_read(const struct source *s, char *to, size_t max, uint64_t at);

#endif
