/*
 * Accounts, and the directories that they share: who may do what there is
 * what keeps them apart.
 */
#include "sys/check-part.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/qdir.h"

enum { ROOM_TIMES = 4, INODES_LEAST = 1000 };

/* --- accounts ------------------------------------------------------------ */

static uid_t find_account(const char *name, gid_t *group)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw) {
		finding(FINDING_FAULT, name,
		    "no such user: run systemd-sysusers, or add it");
		return (uid_t)-1;
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0) {
		finding(FINDING_FAULT, name, "is root");
		return (uid_t)-1;
	}
	*group = pw->pw_gid;
	return pw->pw_uid;
}

static bool is_member(const struct group *g, const char *name)
{
	for (char **m = g->gr_mem; *m; m++)
		if (strcmp(*m, name) == 0)
			return true;
	return false;
}

static void check_group(struct site *s)
{
	const struct group *g = getgrnam("_postern");

	s->accounts.smtpd_group = g ? g->gr_gid : (gid_t)-1;
	if (!g) {
		finding(FINDING_FAULT, "_postern", "no such group");
		return;
	}
	if (!is_member(g, "_postern-queue"))
		finding(FINDING_FAULT, "_postern-queue",
		    "is not in the group _postern, and cannot read what smtpd "
		    "queues");
	if (is_member(g, "_postern-deliver") || is_member(g, "_postern-tls"))
		finding(FINDING_FAULT, "_postern",
		    "has members that need not see the queue");
}

/* Of a program that is used only when the configuration says so: it must be
 * nobody else. */
static void check_other(const struct site *s, const char *name)
{
	const struct accounts *a = &s->accounts;
	gid_t group;
	uid_t uid = find_account(name, &group);

	if (uid == (uid_t)-1)
		return;
	if (uid == a->smtpd || uid == a->deliver || uid == a->queue)
		finding(FINDING_FAULT, name, "is another account, too");
	else
		finding(FINDING_OK, name, "is there");
}

void check_accounts(struct site *s)
{
	struct accounts *a = &s->accounts;
	gid_t other;

	if (s->private) {
		a->smtpd = a->deliver = a->queue = geteuid();
		a->smtpd_group = a->queue_group = getegid();
		finding(FINDING_OK, NULL, "everything belongs to the caller");
		return;
	}
	a->smtpd = find_account("_postern", &other);
	a->deliver = find_account("_postern-deliver", &other);
	a->queue = find_account("_postern-queue", &a->queue_group);
	if (conf_offers_tls(s->conf))
		check_other(s, "_postern-tls");
	if (s->conf->commands)
		check_other(s, "_postern-command");
	check_group(s);
	if (a->smtpd == (uid_t)-1 || a->deliver == (uid_t)-1 ||
	    a->queue == (uid_t)-1)
		return;
	if (a->smtpd == a->deliver || a->smtpd == a->queue ||
	    a->deliver == a->queue)
		finding(FINDING_FAULT, NULL,
		    "_postern, _postern-deliver and _postern-queue are not "
		    "three users");
	else
		finding(FINDING_OK, NULL, "the accounts are there, and differ");
}

/* --- directories --------------------------------------------------------- */

static const char *name_of(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? pw->pw_name : "an unknown user";
}

/* stat, and what is wrong when it fails. */
static bool look(const char *path, struct stat *st)
{
	if (lstat(path, st) == 0)
		return true;
	if (errno == EACCES)
		finding(
		    FINDING_WARNING, path, "cannot be seen: ask again as root");
	else
		finding(FINDING_FAULT, path, "%s", strerror(errno));
	return false;
}

static bool check_directory(
    const char *path, const struct stat *st, uid_t owner, mode_t mode)
{
	if (!S_ISDIR(st->st_mode)) {
		finding(FINDING_FAULT, path, "is no directory");
		return false;
	}
	if (owner != (uid_t)-1 && st->st_uid != owner) {
		finding(FINDING_FAULT, path,
		    "belongs to %s, not to _postern-queue",
		    name_of(st->st_uid));
		return false;
	}
	if ((st->st_mode & 07777) != mode) {
		finding(FINDING_FAULT, path, "has mode %04o, not %04o",
		    st->st_mode & 07777, mode);
		return false;
	}
	return true;
}

/* Who may write there could put another queue into its place. */
static void check_spool(const struct site *s)
{
	const char *path = s->conf->spool;
	struct stat st;

	if (!look(path, &st))
		return;
	if (!S_ISDIR(st.st_mode))
		finding(FINDING_FAULT, path, "is no directory");
	else if ((st.st_mode & S_IWOTH) != 0 ||
		 ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0))
		finding(FINDING_FAULT, path,
		    "has mode %04o: others can write there",
		    st.st_mode & 07777);
	else if (st.st_uid != 0 && st.st_uid != s->accounts.queue &&
		 st.st_uid != s->accounts.smtpd)
		finding(
		    FINDING_FAULT, path, "belongs to %s", name_of(st.st_uid));
	else if ((st.st_mode & S_IXOTH) == 0 &&
		 !((st.st_mode & S_IXGRP) != 0 &&
		     st.st_gid == s->accounts.smtpd_group) &&
		 st.st_uid != s->accounts.smtpd)
		finding(
		    FINDING_FAULT, path, "smtpd (_postern) has no way into it");
}

static void check_queue(const struct site *s)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->spool, "queue");
	struct stat st;

	if (!look(path, &st))
		return;
	if (s->private) {
		if (!S_ISDIR(st.st_mode) || access(path, W_OK | X_OK) != 0)
			finding(FINDING_FAULT, path, "is no directory of ours");
		return;
	}
	if (!check_directory(path, &st, s->accounts.queue, 03770))
		return;
	if (st.st_gid != s->accounts.smtpd_group)
		finding(FINDING_FAULT, path,
		    "is not of the group _postern, and smtpd cannot write "
		    "there");
	else
		finding(FINDING_OK, path, "owner, group and mode");
}

static void check_bad(const struct site *s)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->spool, "bad");
	struct stat st;

	if (lstat(path, &st) == 0)
		(void)check_directory(path, &st, s->accounts.queue, 0700);
	else if (errno == ENOENT)
		finding(FINDING_OK, path, "is made when it is needed");
}

/* Full means that mail is put off, not lost; it should be known before. */
static void check_room(const struct site *s)
{
	const char *path = s->conf->spool;
	struct statvfs v;
	uint64_t octets;

	if (statvfs(path, &v) != 0)
		return;
	octets = (uint64_t)v.f_bavail * v.f_frsize;
	if (octets / ROOM_TIMES < s->conf->message_size_limit)
		finding(FINDING_WARNING, path,
		    "%llu MiB are free: a few messages of the size that is "
		    "allowed fill it",
		    (unsigned long long)(octets >> 20));
	else if (v.f_files > 0 && v.f_favail < INODES_LEAST)
		finding(FINDING_WARNING, path,
		    "%llu files more, and it is full",
		    (unsigned long long)v.f_favail);
	else
		finding(FINDING_OK, path, "%llu MiB are free",
		    (unsigned long long)(octets >> 20));
}

static void check_run_directory(const struct site *s)
{
	const char *path = s->conf->run_directory;
	struct stat st;

	if (!look(path, &st))
		return;
	if (!S_ISDIR(st.st_mode))
		finding(FINDING_FAULT, path, "is no directory");
	else if ((st.st_mode & (S_IWOTH | S_IWGRP)) != 0)
		finding(FINDING_FAULT, path,
		    "has mode %04o: others could listen in our place",
		    st.st_mode & 07777);
	else if (st.st_uid != 0 && st.st_uid != s->accounts.smtpd)
		finding(
		    FINDING_FAULT, path, "belongs to %s", name_of(st.st_uid));
	else
		finding(FINDING_OK, path, "owner and mode");
}

/* What deliver makes when an alias first leads to another host. */
static void check_secret(const struct site *s)
{
	const char *path = s->conf->srs_secret;
	struct str directory = str_of(path);
	char room[PART_PATH_MAX];
	struct buf b = BUF(room);
	struct stat st;

	if (!s->conf->srs)
		return;
	while (directory.n > 1 && directory.p[directory.n - 1] != '/')
		directory.n--;
	buf_put(&b, directory);
	buf_putc(&b, '\0');
	if (b.full || !look(room, &st))
		return;
	if (!S_ISDIR(st.st_mode) || st.st_uid != s->accounts.deliver)
		finding(FINDING_FAULT, room,
		    "is no directory of _postern-deliver, who rewrites "
		    "senders with the secret there");
	else if (lstat(path, &st) != 0)
		finding(FINDING_OK, room,
		    "the secret of sender rewriting is made when needed");
	else if (st.st_uid != s->accounts.deliver || (st.st_mode & 077) != 0)
		finding(FINDING_FAULT, path,
		    "is not _postern-deliver's alone: what aliases send on is "
		    "put off");
	else
		finding(FINDING_OK, path, "owner and mode");
}

void check_places(const struct site *s)
{
	check_secret(s);
	check_spool(s);
	check_queue(s);
	check_bad(s);
	check_room(s);
	check_run_directory(s);
}
