/*
 * Without a user _postern-queue, as where everything runs as one ordinary
 * user, the queue pass has our own uid and only its greeting tells it apart.
 */
#include "sys/staff.h"

#include <pwd.h>
#include <unistd.h>

static struct {
	uid_t own, queue;
} staff = { 0, (uid_t)-1 };

void staff_learn(void)
{
	const struct passwd *pw = getpwnam("_postern-queue");

	staff.own = geteuid();
	staff.queue = pw && pw->pw_uid != 0 ? pw->pw_uid : (uid_t)-1;
}

bool staff_is_own(uid_t uid)
{
	return uid == 0 || uid == staff.own;
}

bool staff_is_queue(uid_t uid)
{
	return uid == staff.queue && uid != (uid_t)-1;
}
