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

enum { PAUSE_MS = 1 };

static struct shared {
	_Atomic uint32_t ended; /* how often anybody was done */
	_Atomic uint32_t busy[SHARE_SLOTS];
} * shared;

int share_start(void)
{
	void *p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	shared = p;
	return 0;
}

static unsigned others(int slot, uint32_t uid)
{
	unsigned n = 0;

	for (int i = 0; i < SHARE_SLOTS; i++)
		n += i != slot && atomic_load(&shared->busy[i]) == uid;
	return n;
}

/* Waits for a place; false when there will be none soon. */
static bool wait_turn(int slot, uint32_t uid)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	int64_t begin_ms = io_now_ms(), moved_ms = begin_ms;
	uint32_t ended = atomic_load(&shared->ended);

	while (others(slot, uid) >= SHARE_MOST) {
		int64_t now_ms = io_now_ms();
		uint32_t now = atomic_load(&shared->ended);

		if (now != ended)
			moved_ms = now_ms;
		ended = now;
		if (now_ms - moved_ms >= SHARE_WAIT_MS ||
		    now_ms - begin_ms >= SHARE_LIMIT_MS)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

int share_begin(int slot, uint32_t uid)
{
	if (!shared || slot < 0 || slot >= SHARE_SLOTS)
		return 0;
	if (!wait_turn(slot, uid))
		return -ETIMEDOUT;
	atomic_store(&shared->busy[slot], uid);
	return 0;
}

void share_end(int slot)
{
	if (!shared || slot < 0 || slot >= SHARE_SLOTS ||
	    atomic_exchange(&shared->busy[slot], 0) == 0)
		return;
	atomic_fetch_add(&shared->ended, 1);
}
