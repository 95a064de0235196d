/*
 * No user has all store workers: one whose mailbox hangs (a lock he keeps, a
 * home on a dead server) would hold up everybody's mail.  The workers tell
 * each other in shared memory for whom they work.
 */
#ifndef SYS_SHARE_H
#define SYS_SHARE_H

#include <stdint.h>

enum {
	SHARE_SLOTS = 24,      /* workers that may tell */
	SHARE_MOST = 20,       /* ... and may work for one user */
	SHARE_WAIT_MS = 500,   /* for anybody to be done ... */
	SHARE_LIMIT_MS = 5000, /* ... and for one of his to be */
	SHARE_NONE = -1        /* the slot of a worker that is alone */
};

/* Before workers are forked.  0 or -errno: then nobody is limited. */
int share_start(void);

/*
 * The worker of `slot` is about to work for `uid`, until it says share_end.
 * 0, or -ETIMEDOUT: as many as may be work for him, and nobody moves.
 */
int share_begin(int slot, uint32_t uid);
void share_end(int slot);

#endif
