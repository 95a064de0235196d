/*
 * The order is that of sys/identity.c: groups, ids, capabilities, and then a
 * try of every way back.
 */
#include "sys/person.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"

enum { NSS_BUFFER = 16 * 1024 };

static int refuse(struct str name, const char *why, int rc)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "refused");
	log_str(&l, "user", name);
	log_str(&l, "error", str_of(why));
	log_end(&l);
	return rc;
}

static bool keep(char *to, size_t size, const char *from)
{
	struct buf b = { to, 0, size, false };
	struct str s = str_of(from);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	buf_put(&b, s);
	buf_putc(&b, '\0');
	return !b.full;
}

/* Those of a login, but for root's. */
static int find_groups(struct person *p)
{
	int n = PERSON_GROUPS, kept = 0;

	if (getgrouplist(p->name, p->gid, p->group, &n) < 0)
		return -E2BIG;
	for (int i = 0; i < n; i++)
		if (p->group[i] != 0)
			p->group[kept++] = p->group[i];
	p->ngroups = kept;
	return 0;
}

static int take(struct person *p, const struct passwd *pw, uint32_t minimum_uid,
    const struct identity *self)
{
	struct str name = str_of(pw->pw_name);
	bool own = !self->privileged && pw->pw_uid == self->uid;

	if (pw->pw_uid == 0 || pw->pw_uid == (uid_t)-1 || pw->pw_gid == 0 ||
	    (!own && pw->pw_uid < minimum_uid))
		return refuse(name, "uid below minimum-uid", -EPERM);
	if (!own && !self->privileged)
		return refuse(name, "no right to become this user", -EPERM);
	if (!keep(p->name, sizeof(p->name), pw->pw_name) ||
	    !keep(p->home, sizeof(p->home), pw->pw_dir) ||
	    !keep(p->shell, sizeof(p->shell), pw->pw_shell) ||
	    p->home[0] != '/')
		return refuse(name, "an entry that is not understood", -EINVAL);
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	return find_groups(p);
}

int person_find(struct person *p, struct str name, uint32_t minimum_uid,
    const struct identity *self)
{
	static char room[NSS_BUFFER];
	char z[PERSON_NAME_MAX + 1];
	struct passwd pw, *found = NULL;
	struct buf b = BUF(z);
	int err;

	buf_put(&b, name);
	buf_putc(&b, '\0');
	if (b.full || str_find(name, '\0') < name.n)
		return refuse(name, "no such user", -ENOENT);
	do
		err = getpwnam_r(z, &pw, room, sizeof(room), &found);
	while (err == EINTR);
	if (err != 0) {
		log_errno("user-lookup", z, err);
		return -err;
	}
	if (!found || !str_eq(str_of(pw.pw_name), name))
		return refuse(name, "no such user", -ENOENT);
	return take(p, &pw, minimum_uid, self);
}

/* True when this process can be anybody but him. */
static bool has_way_back(const struct person *p, const struct identity *self)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (getresuid(&r, &e, &s) != 0 || getresgid(&gr, &ge, &gs) != 0 ||
	    r != p->uid || e != p->uid || s != p->uid || gr != p->gid ||
	    ge != p->gid || gs != p->gid)
		return true;
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 ||
	    setgroups(0, NULL) == 0)
		return true;
	return self->uid != p->uid &&
	       (setresuid(self->uid, self->uid, self->uid) == 0 ||
		   seteuid(self->uid) == 0);
}

int person_become(const struct person *p, const struct identity *self)
{
	int rc;

	if (p->uid == 0 || p->gid == 0)
		return -EPERM;
	if (!self->privileged)
		return p->uid == self->uid ? identity_disarm() : -EPERM;
	if (setgroups((size_t)p->ngroups, p->group) != 0 ||
	    setresgid(p->gid, p->gid, p->gid) != 0 ||
	    setresuid(p->uid, p->uid, p->uid) != 0)
		return -errno;
	rc = identity_disarm();
	if (rc == 0 && has_way_back(p, self))
		rc = -EPERM;
	return rc;
}
