/*
 * The other end of the FIFO RUN/wake: smtpd writes an octet when it has put something into the
 * queue.  Whoever reads it owes a scan of the whole queue.
 */
#ifndef SYS_BELL_H
#define SYS_BELL_H

#include <stdbool.h>

enum { BELL_NONE = -1 };

/*
 * The FIFO of systemd's ListenFIFO= (LISTEN_FDS), or RUN/wake if it is there.
 * A descriptor that does not block, or BELL_NONE.  Drained already: a service
 * that fails before it drains is started again and again.
 */
int bell_open(const char *run_directory);

/* Empties it; true when there was something in it. */
bool bell_drain(int fd);

#endif
