/*
 * Changes of identity.  Order and verification follow from their history:
 * groups first, capabilities last (they survive a change between two users
 * that are not root), and nothing is believed until it was read back, for
 * setfsuid(2) tells of no error.
 */
#include "sys/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/log.h"

enum { WANTED = (1u << CAP_SETUID) | (1u << CAP_SETGID), CAP_WORDS = 2 };

static int caps_get(struct __user_cap_data_struct d[CAP_WORDS])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capget, &h, d) == 0 ? 0 : -errno;
}

/* Effective and permitted, nothing inheritable, nothing ambient. */
static int caps_set(unsigned low)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[CAP_WORDS] = { 0 };

	d[0].effective = d[0].permitted = low;
	if (syscall(SYS_capset, &h, d) != 0)
		return -errno;
	/* An old kernel has no ambient set, and then nothing to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

/* Needs CAP_SETPCAP, so only as root; the last number fails with EINVAL. */
static void bounding_drop(void)
{
	for (unsigned long cap = 0; cap < 64; cap++)
		if (cap != CAP_SETUID && cap != CAP_SETGID &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			break;
}

static int become_service(struct identity *self, const char *user)
{
	struct passwd *pw;
	struct log l;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL || pw->pw_uid == 0) {
		log_begin(&l, LOGL_ERR, "refused");
		log_str(&l, "user", str_of(user));
		log_str(&l, "what", STR("root must become it: no such user"));
		log_end(&l);
		return -ENOENT;
	}
	self->uid = pw->pw_uid;
	self->gid = pw->pw_gid;
	self->listed = true;
	bounding_drop();
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
	    setgroups(0, NULL) != 0 ||
	    setresgid(self->gid, self->gid, self->gid) != 0 ||
	    setresuid(self->uid, self->uid, self->uid) != 0 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
		return -errno;
	return 0;
}

/* Nothing but what is wanted; nothing at all without it. */
static int keep_wanted(struct identity *self)
{
	struct __user_cap_data_struct d[CAP_WORDS];
	int rc = caps_get(d);

	if (rc < 0)
		return rc;
	self->privileged = (d[0].permitted & WANTED) == WANTED;
	rc = caps_set(self->privileged ? WANTED : 0);
	if (rc < 0)
		return rc;
	rc = caps_get(d);
	if (rc < 0)
		return rc;
	if (d[0].permitted != (self->privileged ? WANTED : 0u) ||
	    d[1].permitted != 0)
		return -EPERM;
	return self->privileged && setgroups(0, NULL) != 0 ? -errno : 0;
}

int identity_start(struct identity *self, const char *user)
{
	int rc = 0;

	*self = (struct identity){ .uid = getuid(), .gid = getgid() };
	if (geteuid() == 0 || self->uid == 0)
		rc = become_service(self, user);
	else
		self->listed = getpwuid(self->uid) != NULL;
	if (rc == 0)
		rc = keep_wanted(self);
	if (rc == 0 && (getuid() != self->uid || geteuid() != self->uid ||
			   getgid() != self->gid || getegid() != self->gid))
		rc = -EPERM;
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		rc = -errno;
	if (rc < 0 && rc != -ENOENT)
		log_errno("refused", "giving up privileges", -rc);
	return rc;
}

int identity_disarm(void)
{
	struct __user_cap_data_struct d[CAP_WORDS];
	int rc = caps_set(0);

	if (rc == 0)
		rc = caps_get(d);
	if (rc < 0)
		return rc;
	return (d[0].effective | d[0].permitted | d[0].inheritable |
		   d[1].effective | d[1].permitted | d[1].inheritable) == 0
		   ? 0
		   : -EPERM;
}

/* (id)-1 is no id: the call changes nothing and returns the present one. */
static uid_t fsuid_now(void)
{
	return (uid_t)setfsuid((uid_t)-1);
}

static gid_t fsgid_now(void)
{
	return (gid_t)setfsgid((gid_t)-1);
}

int identity_assume(const struct identity *self, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == (uid_t)-1 || gid == (gid_t)-1)
		return -EPERM;
	if (!self->privileged)
		return uid == self->uid ? 0 : -EPERM;
	if (fsuid_now() == uid && fsgid_now() == gid)
		return 0;
	setfsgid(gid);
	setfsuid(uid);
	if (fsuid_now() == uid && fsgid_now() == gid)
		return 0;
	/* Neither the old nor the new one: back, or not at all. */
	setfsgid(self->gid);
	setfsuid(self->uid);
	if (fsuid_now() != self->uid || fsgid_now() != self->gid)
		_exit(75);
	return -EPERM;
}

int identity_become(const struct identity *self, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == (uid_t)-1 || gid == (gid_t)-1)
		return -EPERM;
	if (!self->privileged)
		return uid == self->uid ? identity_disarm() : -EPERM;
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return -errno;
	if (getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getegid() != gid)
		return -EPERM;
	return identity_disarm();
}
