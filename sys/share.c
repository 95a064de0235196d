/*
 * One word per worker: the uid it works for, 0 for none (no mailbox is
 * root's).  Two workers may both take the last place of a user: it is a
 * bound, not a count.
 */
#include "sys/share.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include "sys/io.h"

enum { PAUSE_MS = 5 };

static _Atomic uint32_t *busy;

int share_start(void)
{
	void *p = mmap(NULL, SHARE_SLOTS * sizeof(*busy),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	busy = p;
	return 0;
}

static unsigned others(int slot, uint32_t uid)
{
	unsigned n = 0;

	for (int i = 0; i < SHARE_SLOTS; i++)
		n += i != slot && atomic_load(&busy[i]) == uid;
	return n;
}

int share_begin(int slot, uint32_t uid)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	int64_t until_ms = io_now_ms() + SHARE_WAIT_MS;

	if (!busy || slot < 0 || slot >= SHARE_SLOTS)
		return 0;
	while (others(slot, uid) >= SHARE_MOST) {
		if (io_now_ms() >= until_ms)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
	atomic_store(&busy[slot], uid);
	return 0;
}

void share_end(int slot)
{
	if (busy && slot >= 0 && slot < SHARE_SLOTS)
		atomic_store(&busy[slot], 0);
}
