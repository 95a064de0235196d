/*
 * Log lines with their fields, for journalctl(1) to look for:
 * POSTERN_ID=, POSTERN_EVENT=, POSTERN_TO= and so on beside the line itself.
 */
#ifndef SYS_JOURNAL_H
#define SYS_JOURNAL_H

/* From now on, when standard error is the journal and libsystemd is built
 * in; otherwise lines stay text. */
void journal_start(void);

#endif
