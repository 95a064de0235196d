/*
 * The FIFO RUN/wake: smtpd writes an octet when it has put something into the
 * queue.  Whoever reads it owes a scan of the whole queue.
 */
#ifndef SYS_WAKE_H
#define SYS_WAKE_H

#include <stdbool.h>

enum { WAKE_NONE = -1 };

/*
 * The FIFO of systemd's ListenFIFO= (LISTEN_FDS), or RUN/wake if it is there.
 * A descriptor that does not block, or WAKE_NONE.  Drained already: a service
 * that fails before it drains is started again and again.
 */
int wake_open(const char *run_directory);

/* Empties it; true when there was something in it. */
bool wake_drain(int fd);

#endif
