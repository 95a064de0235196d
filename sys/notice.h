/*
 * Reports about a message of the queue become messages of the queue.  A name
 * made of the message's and of its count of attempts sees to it that however
 * often a pass is killed, there is one for each pass that has something to
 * tell, and that it leaves only when its cause has taken note of it.
 */
#ifndef SYS_NOTICE_H
#define SYS_NOTICE_H

#include "sys/conf.h"
#include "sys/queued.h"

enum notice_answer {
	NOTICE_NONE = 1 /* nobody wants to be told anything */
};

/*
 * Writes what is owed about q: every F, S and R of it, and with `late` every
 * recipient still open, as far as its NOTIFY says; or, when nobody may be
 * told, a copy for our postmaster.  0, NOTICE_NONE, or -errno, logged.  A
 * report that is there already is the same one.
 */
int notice_write(const struct conf *conf, const struct qdir *d,
    const struct queued *q, bool late);

/* A report whose cause has not taken note of it yet: not to be sent now. */
bool notice_is_early(const struct qdir *d, const char *id);

#endif
