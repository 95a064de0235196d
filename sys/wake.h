/*
 * Telling the queue that there is work: an octet into the FIFO RUN/wake, at
 * whose other end a unit waits.  Nothing depends on it but when.
 */
#ifndef SYS_WAKE_H
#define SYS_WAKE_H

/*
 * Before the lock-down: opens RUN/wake on SANDBOX_WAKE_FD, unless there is a
 * descriptor already (of whoever starts the queue himself).  Without a FIFO,
 * or with nobody at its end, nobody will be woken.
 */
void wake_open(const char *run_directory);

/* After a commit.  A FIFO that is full has been heard already. */
void wake_queue(void);

#endif
