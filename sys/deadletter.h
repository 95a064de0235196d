/*
 * ~/dead.letter: where a message goes that nobody would take.
 */
#ifndef SYS_DEADLETTER_H
#define SYS_DEADLETTER_H

#include "sys/letter.h"

/*
 * Appends the letter, as it would have been sent, to dead.letter in `home`, an
 * mbox, on stable storage; those of its recipients who are wanted stand in a
 * field X-Dead-Letter-To.  The home must be the user's, the file a plain one
 * of his without another name.  0 with the path in *path, or -errno: it is as
 * it was.
 */
int deadletter_save(
    struct letter *l, struct str home, const bool *wanted, struct buf *path);

#endif
