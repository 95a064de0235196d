/*
 * Reading a message, wherever it is.
 */
#include "sys/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

ssize_t source_read(const struct source *s, char *to, size_t max, uint64_t at)
{
	struct str rest;
	ssize_t n;

	if (max > s->size - at)
		max = (size_t)(s->size - at);
	if (s->fd < 0) {
		rest = str_head(str_skip(s->all, (size_t)at), max);
		memcpy(to, rest.p, rest.n);
		return (ssize_t)rest.n;
	}
	do
		n = pread(s->fd, to, max, (off_t)(s->start + at));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 && max > 0 ? -EIO : n;
}
