/*
 * A record with two descriptors: a client's connection, and the socket on
 * which what he says is wanted in clear.
 */
#ifndef SYS_PAIR_H
#define SYS_PAIR_H

/* 0 or -errno; never waits.  The descriptors stay open here. */
int pair_send(int sock, const int fd[2]);

/*
 * The next one: 1 and two descriptors of the caller's, close-on-exec; 0: who
 * could send one is gone, or a datagram is empty; -EAGAIN; -EBADMSG: something else, which is closed;
 * or -errno.
 */
int pair_recv(int sock, int fd[2]);

#endif
