/*
 * Reading and writing with a deadline, whole.  Times are milliseconds of
 * CLOCK_MONOTONIC.
 */
#ifndef SYS_IO_H
#define SYS_IO_H

#include <sys/types.h>

#include "mail/str.h"

int64_t io_now_ms(void);

/* Waits for `fd` to be readable / writable.  0, -ETIMEDOUT, -EINTR when a
 * signal came, or -errno. */
int io_wait_read(int fd, int64_t deadline_ms);
int io_wait_write(int fd, int64_t deadline_ms);

/* All of s, or -errno (-ETIMEDOUT past the deadline).  EINTR is retried. */
int io_write_all(int fd, struct str s, int64_t deadline_ms);

/* All of s to a regular file.  -errno; a short write is -ENOSPC. */
int io_write_file(int fd, struct str s);

/* One record of a SEQPACKET socket, with at most one descriptor (*fd, -1:
 * none; close-on-exec).  The count, 0 at the end (which an empty record is,
 * too), or -errno; a record that does not fit `b`, or that has more
 * descriptors, is -EMSGSIZE.  *fd is -1 unless there are octets. */
ssize_t io_recv_record(int sock, struct buf *b, int *fd, int flags);

/* Sends one record, with a descriptor unless fd < 0.  0 or -errno. */
int io_send_record(int sock, struct str s, int fd);
/* Likewise, a record in two pieces. */
int io_send_parts(int sock, struct str s, struct str more, int fd);

/* Connects a SEQPACKET or STREAM socket to a path.  The fd or -errno. */
int io_connect_unix(const char *path, int type);

/* Opens /dev/null where 0, 1 or 2 is closed, so that they are never a file
 * that we open.  Ends the process when it cannot. */
void io_fill_standard(void);

/* Moves fd to the number `to`, close-on-exec.  `to` or -errno. */
int io_move_fd(int fd, int to);

/* Moves fd to the first number from `min` on that is free, close-on-exec.
 * That number, or -errno; fd is closed in any case. */
int io_raise_fd(int fd, int min);

/* Closes every descriptor from `first` to `last`. */
void io_close_range(unsigned first, unsigned last);

#endif
