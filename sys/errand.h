/*
 * deliver's side of postern-command(8): one command for one message.
 */
#ifndef SYS_ERRAND_H
#define SYS_ERRAND_H

#include "mail/errand.h"
#include "sys/source.h"

enum {
	ERRAND_DEADLINE_S = 90, /* more than a command is given */
	ERRAND_ALL_S = 200      /* for those of one message */
};

/*
 * Has the command run, at the socket "command" of this directory, by `until_ms` at the latest.  What
 * became of it; LATER when nobody answers.  The text lives until the next call.
 */
struct verdict errand_run(const char *run_directory, const struct errand *e,
    const struct source *content, int64_t until_ms);

#endif
