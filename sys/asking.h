/*
 * Programs that postern asks: those of its own, which lie beside it, and
 * systemctl.  They are run without a shell, and heard for a limited time.
 */
#ifndef SYS_ASKING_H
#define SYS_ASKING_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/str.h"

enum { ASKING_ARGS = 12, ASKING_LINE = 2048 };

/*
 * Runs `path` with argv (NULL ends it; argv[0] is given too) and without
 * input, until it ends or the time is over.  Every line of its standard
 * output and error goes to `line`; what is longer than ASKING_LINE is cut.
 * Its exit status; 128 and the signal that ended it; or -errno, -ETIMEDOUT
 * too.
 */
int asking_run(const char *path, const char *const argv[], unsigned seconds,
    void (*line)(void *arg, struct str line), void *arg);

#endif
