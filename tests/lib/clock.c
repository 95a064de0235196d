/*
 * Preloaded, it is a wall clock that is wrong: by CLOCK_OFFSET seconds, and
 * with CLOCK_WILD by as much in the other direction at every second look.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
	static unsigned looks;
	const char *text = getenv("CLOCK_OFFSET");
	long by = text ? strtol(text, NULL, 10) : 0;

	return getenv("CLOCK_WILD") && looks++ % 2 ? -by : by;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && id == CLOCK_REALTIME)
		t->tv_sec += offset();
	return rc;
}

time_t time(time_t *to)
{
	struct timespec t = { 0, 0 };

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (to)
		*to = t.tv_sec;
	return t.tv_sec;
}
