/*
 * Passes of the queue for an smtpd that no service manager looks after: a
 * process waits beside it, with the rights that smtpd is about to give up,
 * and executes queue whenever a session has put something into the queue.  It
 * ends with the last session.
 */
#ifndef SYS_RUNNER_H
#define SYS_RUNNER_H

enum { RUNNER_PERIOD_S = 120 }; /* for what has to be tried again */

/*
 * Unless somebody waits at RUN/wake already: sessions wake this process, by
 * the descriptor SANDBOX_WAKE_FD.  period_s: a pass at the latest after so
 * long, for a listener; 0: only when woken.  0 or -errno, logged.
 */
int runner_start(
    const char *conf_path, const char *run_directory, unsigned period_s);

#endif
