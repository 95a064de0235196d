/*
 * From root to an ordinary user, checked at every step.
 */
#include "sys/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "sys/log.h"

static int failed(const char *what, int error)
{
	log_errno("privilege", what, error);
	return -error;
}

int privilege_drop(const char *user)
{
	return privilege_become(user, NULL);
}

int privilege_become(const char *user, const char *group)
{
	const struct group *gr;
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return failed(user, errno ? errno : ENOENT);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return failed(user, EPERM);
	gr = group ? getgrnam(group) : NULL;
	if (setgroups(gr ? 1 : 0, gr ? &gr->gr_gid : NULL) != 0)
		return failed("setgroups", errno);
	if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0)
		return failed("setresgid", errno);
	if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return failed("setresuid", errno);
	if (setresuid(0, 0, 0) == 0)
		return failed("root is still there", EPERM);
	return 0;
}
