/*
 * Users and where their mail goes.  A user with a uid below the minimum, and
 * an account without a login shell above those of people, is the system's:
 * it gets mail by an alias only.
 */
#include "sys/users.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"
#include "sys/walk.h"

enum { NSS_BUFFER = 16 * 1024 };

/* What may be asked of NSS at all. */
static bool is_name(struct str s)
{
	if (s.n == 0 || s.n > USERS_NAME_MAX || s.p[0] == '-' ||
	    s.p[0] == '+' || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '/' ||
		    s.p[i] == ':' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool has_no_login(const char *shell)
{
	const char *base = strrchr(shell, '/');

	base = base ? base + 1 : shell;
	return strcmp(base, "nologin") == 0 || strcmp(base, "false") == 0;
}

static bool is_system(const struct users *u, const struct passwd *pw)
{
	if (pw->pw_uid == 0 || pw->pw_uid == (uid_t)-1 ||
	    pw->pw_gid == (gid_t)-1)
		return true;
	if (!u->self->privileged && pw->pw_uid == u->self->uid)
		return false;
	return pw->pw_uid < u->minimum_uid ||
	       (pw->pw_uid >= USERS_FIRST_SYSTEM_AGAIN &&
		   has_no_login(pw->pw_shell));
}

/* ~, %u and %d of the mailbox path; false when it does not fit. */
static bool expand(const char *path, const char *home, struct str name,
    struct str domain, struct buf *out)
{
	struct str s = str_of(path);

	if (s.n > 0 && s.p[0] == '~') {
		buf_putz(out, home);
		s = str_skip(s, 1);
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%' || i + 1 == s.n) {
			buf_putc(out, s.p[i]);
			continue;
		}
		i++;
		if (s.p[i] == 'u')
			buf_put(out, name);
		else if (s.p[i] == 'd')
			buf_put(out, domain);
		else
			buf_putc(out, s.p[i]);
	}
	buf_putc(out, '\0');
	return !out->full && out->p[0] == '/';
}

static enum box_kind kind_of(enum conf_mailbox m)
{
	switch (m) {
	case MAILBOX_MBOX:
		return BOX_MBOX;
	case MAILBOX_LMTP:
		return BOX_LMTP;
	case MAILBOX_MAILDIR:
		break;
	}
	return BOX_MAILDIR;
}

/* Only an ordinary user's deliver is bound to that user. */
static int permitted(const struct users *u, uid_t uid, struct str name)
{
	struct log l;

	if (uid != 0 && uid != (uid_t)-1 &&
	    (uid == u->self->uid ||
		(u->self->privileged && uid >= u->minimum_uid)))
		return 0;
	log_begin(&l, LOGL_ERR, "refused");
	log_str(&l, "user", name);
	log_u64(&l, "uid", uid);
	log_str(&l, "error",
	    u->self->privileged
		? STR("uid below minimum-uid")
		: STR("deliver runs without the right to become this user"));
	log_end(&l);
	return -EPERM;
}

/* Where his .forward is looked for: nowhere, when we may not look there as
 * he, or when he has no home. */
static void set_home(
    const struct users *u, struct user *user, struct str home, bool borrowed)
{
	static const struct str none[] = { { "/", 1 }, { "/dev/null", 9 },
		{ "/nonexistent", 12 } };
	uid_t uid = user->box.uid;
	struct buf b = BUF(user->home);

	user->borrowed = borrowed;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (str_eq(home, none[i]))
			return;
	if (!u->conf->forward || home.n == 0 || home.p[0] != '/' ||
	    (uid != u->self->uid &&
		(!u->self->privileged || uid < u->minimum_uid)))
		return;
	buf_put(&b, home);
	buf_putc(&b, '\0');
	if (!b.full)
		user->box.home = str_of(user->home);
}

static int take_passwd(struct users *u, const struct passwd *pw,
    struct str domain, struct user *user)
{
	const struct conf *c = u->conf;
	struct str name = str_of(pw->pw_name);
	struct buf n = BUF(user->name), path = BUF(user->path);
	int rc;

	if (is_system(u, pw))
		return USERS_SYSTEM;
	if (!is_name(name))
		return USERS_NONE;
	buf_put(&n, name);
	user->box = (struct box){ kind_of(c->mailbox), pw->pw_uid, pw->pw_gid,
		buf_str(&n), STR(""), STR(""), STR("") };
	set_home(u, user, str_of(pw->pw_dir), false);
	if (c->mailbox != MAILBOX_LMTP) {
		rc = permitted(u, pw->pw_uid, name);
		if (rc < 0)
			return rc;
	}
	if (!expand(c->mailbox_path, pw->pw_dir, name, domain, &path)) {
		log_note(LOGL_ERR, "refused",
		    "the mailbox path is not "
		    "absolute, or too long");
		return -ENOENT;
	}
	user->box.path = str_of(user->path);
	return 0;
}

/* getpwnam of one spelling.  The answer lives until the next call. */
static int ask(struct str name, struct passwd *pw)
{
	static char room[NSS_BUFFER];
	char z[USERS_NAME_MAX + 1];
	struct passwd *found = NULL;
	int err;

	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	do
		err = getpwnam_r(z, pw, room, sizeof(room), &found);
	while (err == EINTR);
	if (err != 0)
		log_errno("user-lookup", z, err);
	return err != 0 ? -err : found ? 0 : USERS_NONE;
}

/*
 * NSS says "no such user" also when the source that has him could not be
 * read and another one, asked after it, does not know him.  So somebody who
 * must be there is asked for: ourselves.
 */
static int confirm_none(const struct users *u)
{
	static char room[NSS_BUFFER];
	struct passwd pw, *found = NULL;

	if (!u->self->listed ||
	    (getpwuid_r(u->self->uid, &pw, room, sizeof(room), &found) == 0 &&
		found))
		return USERS_NONE;
	log_note(LOGL_ERR, "user-lookup", "the user database has gaps");
	return -EIO;
}

static int ask_system(const struct users *u, struct str name, struct passwd *pw)
{
	char text[USERS_NAME_MAX];
	struct buf lower = BUF(text);
	int rc = ask(name, pw);

	buf_lower(&lower, name);
	if (rc == USERS_NONE && !str_eq(buf_str(&lower), name))
		rc = ask(buf_str(&lower), pw);
	return rc == USERS_NONE ? confirm_none(u) : rc;
}

/* The line of the users file that begins with `name`; exact case first. */
static bool find_line(struct str text, struct str name, struct str *path)
{
	bool found = false;
	struct str line, first;

	while (str_cut(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!str_word(&line, &first) || !str_eqcase(first, name))
			continue;
		if (found && !str_eq(first, name))
			continue;
		*path = str_trim(line);
		found = true;
		if (str_eq(first, name))
			break;
	}
	return found;
}

/* The directory that the last one of a path is in. */
static struct str parent_of(struct str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	while (path.n > 1 && path.p[path.n - 1] != '/')
		path.n--;
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

/* The owner of the directory is the user. */
static int take_line(struct users *u, struct str path, struct user *user)
{
	struct walk w = { (uid_t)-1, (gid_t)-1, -1 };
	struct buf b = BUF(user->path);
	int rc;

	buf_put(&b, path);
	buf_putc(&b, '\0');
	if (b.full || str_find(path, '\0') < path.n)
		return -ENAMETOOLONG;
	rc = walk_open(&w, user->path);
	if (rc < 0)
		return rc;
	if (w.fd >= 0)
		close(w.fd);
	user->box.uid = w.owner;
	user->box.gid = w.group;
	user->box.path = str_of(user->path);
	set_home(u, user, parent_of(user->box.path), true);
	return permitted(u, w.owner, user->box.user);
}

static int ask_file(struct users *u, struct str name, struct user *user)
{
	struct buf n = BUF(user->name);
	struct str path = STR("");
	int rc = text_refresh(&u->file, u->conf->users_file);

	if (rc < 0) {
		if (rc == -ENOENT)
			log_errno("unreadable", u->conf->users_file, ENOENT);
		return rc;
	}
	if (!find_line(buf_str(&u->file.b), name, &path))
		return USERS_NONE;
	for (size_t i = 0; i < name.n; i++)
		buf_putc(&n, str_lower(name.p[i]));
	user->box = (struct box){ .kind = BOX_WALKED, .user = buf_str(&n) };
	if (u->conf->mailbox != MAILBOX_LMTP)
		return take_line(u, path, user);
	user->borrowed = false;
	user->box.kind = BOX_LMTP;
	user->box.uid = u->self->uid;
	user->box.gid = u->self->gid;
	user->box.path = str_of(u->conf->mailbox_path);
	return 0;
}

int users_find(
    struct users *u, struct str name, struct str domain, struct user *user)
{
	struct passwd pw;
	int rc;

	if (!is_name(name))
		return USERS_NONE;
	if (u->conf->users_file)
		return ask_file(u, name, user);
	rc = ask_system(u, name, &pw);
	return rc == 0 ? take_passwd(u, &pw, domain, user) : rc;
}

int users_is_system(const struct users *u, struct str name)
{
	struct passwd pw;
	int rc;

	if (!is_name(name))
		return USERS_NONE;
	rc = ask_system(u, name, &pw);
	if (rc == 0)
		rc = is_system(u, &pw) ? USERS_SYSTEM : USERS_NONE;
	return rc;
}

int users_name(const struct users *u, uid_t uid, struct buf *b)
{
	static char room[NSS_BUFFER];
	struct passwd pw, *found = NULL;
	int err;

	do
		err = getpwuid_r(uid, &pw, room, sizeof(room), &found);
	while (err == EINTR);
	if (err != 0) {
		log_errno("user-lookup", "name of a uid", err);
		return -err;
	}
	if (!found)
		return confirm_none(u);
	if (!is_name(str_of(pw.pw_name)))
		return USERS_NONE;
	buf_putz(b, pw.pw_name);
	return 0;
}
