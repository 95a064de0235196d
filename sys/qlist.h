/*
 * The queue as its operator sees it.  Only the first block of a file is read,
 * and no lock is taken.
 */
#ifndef SYS_QLIST_H
#define SYS_QLIST_H

#include "sys/qdir.h"

/* For people, or one JSON object a line (as `postqueue -j` writes it), to
 * standard output.  0 or -errno, logged. */
int qlist_print(struct qdir *d, bool json);

#endif
