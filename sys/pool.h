/*
 * Worker processes: each at the other end of a SEQPACKET socket pair.
 */
#ifndef SYS_POOL_H
#define SYS_POOL_H

#include <sys/types.h>

struct worker {
	pid_t pid;
	int fd; /* ours, non-blocking; -1: no worker */
};

/*
 * Forks a worker that has its end of the pair, standard error, the log and no
 * other descriptor, default signals, and calls serve(its end, arg); when that
 * returns it ends.  0 or -errno, logged.
 */
int pool_fork(struct worker *w, void (*serve)(int sock, const void *arg),
    const void *arg);

/* In a child: closes every descriptor from `first` on, except the log's. */
void pool_close_from(unsigned first);

/* Closes our end: the worker will end when it is done with what it does. */
void pool_release(struct worker *w);

/* Ends it whatever it does. */
void pool_kill(struct worker *w);

/* Collects those that ended; one that died of a signal is logged. */
void pool_reap(void);

#endif
