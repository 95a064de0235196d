/*
 * Whether names lead somewhere: aliases and their targets, postmaster and
 * root, the users file, and the mailbox of who asks.  deliver's own code says
 * so, and what it would log is shown.
 */
#include "sys/check-part.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/alias.h"
#include "mail/escape.h"
#include "sys/aliases.h"
#include "sys/enquiry.h"
#include "sys/log.h"
#include "sys/recipients.h"

enum { ENTRIES_MAX = 5000, WHAT_MAX = 300, LOGGED_MAX = 400 };

static struct {
	const struct site *site;
	struct enquiry *enquiry;
	const char *where; /* FILE:LINE of what is looked at */
	unsigned wrong;    /* told of it */
	struct buf logged; /* the last line, for who has nothing better */
	char logged_text[LOGGED_MAX];
} n;

/* What is said of an alias itself we say better. */
static bool keep_log(struct str line)
{
	line = str_skip(line, str_find(line, '>') + 1);
	if (str_starts(line, STR("event=alias ")))
		return true;
	buf_clear(&n.logged);
	buf_put(&n.logged, str_head(line, LOGGED_MAX));
	return true;
}

static const char *place(struct buf *b, const char *file, unsigned line)
{
	buf_clear(b);
	buf_putz(b, file);
	buf_putc(b, ':');
	buf_u64(b, line);
	buf_putc(b, '\0');
	return b->p;
}

/* --- aliases ------------------------------------------------------------- */

static void told(void *arg, const struct expand_step *step)
{
	char text[WHAT_MAX * 2];
	struct buf b = BUF(text);

	(void)arg;
	if (step->event == EXPAND_SKIP) {
		escape_put(&b, str_head(step->what, WHAT_MAX), true);
		finding(
		    FINDING_FAULT, n.where, "'%.*s' is nobody", (int)b.n, b.p);
		n.wrong++;
	} else if (step->event == EXPAND_FAULT) {
		escape_put(&b, str_head(step->what, WHAT_MAX), true);
		finding(FINDING_FAULT, n.where, "'%.*s': %.*s%s%.*s", (int)b.n,
		    b.p, (int)step->more.n, step->more.p,
		    n.logged.n > 0 ? ": " : "", (int)n.logged.n, n.logged.p);
		n.wrong++;
	}
	buf_clear(&n.logged);
}

/* True: there is somebody, or no later attempt is needed to know. */
static void check_name(struct str name, unsigned flags, struct plan *plan)
{
	buf_clear(&n.logged);
	n.wrong = 0;
	enquiry_plan(n.enquiry, flags, name, n.site->conf->hostname, plan);
}

static void check_entries(struct str text, const char *file)
{
	char room[PART_PATH_MAX];
	struct buf where = BUF(room);
	struct alias_entry e;
	unsigned line = 1, count = 0, bad = 0;
	int rc;

	while ((rc = alias_next(&text, &line, &e)) != ALIAS_END) {
		struct plan plan;

		n.where = place(&where, file, e.line);
		if (rc != 0) {
			finding(FINDING_FAULT, n.where,
			    "not understood, and skipped");
			bad++;
			continue;
		}
		if (count++ == ENTRIES_MAX) {
			finding(FINDING_WARNING, n.where,
			    "so many aliases: the rest was not looked at");
			break;
		}
		check_name(e.name, REQUEST_LOCAL, &plan);
		bad += n.wrong > 0;
	}
	if (bad == 0)
		finding(FINDING_OK, file, "%u aliases", count);
}

static void check_aliases(const struct conf *c)
{
	struct text *file = &n.enquiry->x.aliases;
	int rc = aliases_refresh(file, c->aliases);

	if (rc < 0)
		finding(FINDING_FAULT, c->aliases, "cannot be read: %s",
		    strerror(-rc));
	else if (file->b.n == 0 && access(c->aliases, F_OK) != 0)
		finding(FINDING_OK, c->aliases, "is not there: no aliases");
	else
		check_entries(buf_str(&file->b), c->aliases);
}

/* RFC 5321 4.5.1: there is always a postmaster, and here he is root. */
static void check_must(const char *name)
{
	struct plan plan;

	n.where = name;
	check_name(str_of(name), 0, &plan);
	if (plan.verdict.kind == VERDICT_NEVER)
		finding(FINDING_FAULT, name, "mail for him is refused");
	else if (plan.verdict.kind != VERDICT_LATER)
		finding(FINDING_OK, name, "mail for him leads somewhere");
}

/* --- mailboxes ----------------------------------------------------------- */

/* The box of root, which is nobody's home. */
static bool leads_to(const char *path)
{
	struct str boxes;
	struct plan plan;
	struct box box;

	check_name(STR("root"), REQUEST_LOCAL, &plan);
	boxes = plan.boxes;
	while (plan_next(&boxes, &box) == 0)
		if (str_eq(box.path, str_of(path)))
			return true;
	return false;
}

static void check_root_mailbox(const struct site *s)
{
	const char *path = s->conf->root_mailbox;
	struct stat st;

	n.where = path;
	if (!leads_to(path))
		return;
	if (lstat(path, &st) != 0 && errno == EACCES)
		finding(
		    FINDING_WARNING, path, "cannot be seen: ask again as root");
	else if (lstat(path, &st) != 0)
		finding(FINDING_FAULT, path,
		    "%s: make it a directory of _postern-deliver, or give root "
		    "an alias",
		    strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		finding(FINDING_FAULT, path,
		    "is no Maildir: set root-mailbox to another place, or give "
		    "root an alias");
	else if (st.st_uid != s->accounts.deliver)
		finding(FINDING_FAULT, path,
		    "does not belong to _postern-deliver, who writes root's "
		    "mail");
	else
		finding(FINDING_OK, path, "root's mail can be stored");
}

/* Of who asks, as an example of users. */
static void check_caller(void)
{
	const struct passwd *pw = getpwuid(getuid());
	char text[USERS_NAME_MAX + 1];
	struct buf name = BUF(text);
	struct plan plan;
	struct box box;

	if (!pw || pw->pw_uid == 0)
		return;
	buf_putz(&name, pw->pw_name);
	n.where = pw->pw_name;
	check_name(buf_str(&name), REQUEST_LOCAL, &plan);
	if (plan.verdict.kind == VERDICT_NEVER)
		finding(FINDING_WARNING, NULL, "%.*s has no mailbox here",
		    (int)name.n, name.p);
	else if (plan_next(&plan.boxes, &box) == 0)
		finding(FINDING_OK, NULL, "mail for %.*s goes to %.*s",
		    (int)name.n, name.p, (int)box.path.n, box.path.p);
}

/* --- the users file, and that of relay-recipients ------------------------- */

static void check_user(struct str line, const char *where)
{
	static struct user user;
	char text[WHAT_MAX];
	struct buf b = BUF(text);
	struct str name;
	int rc;

	(void)str_word(&line, &name);
	escape_put(&b, str_head(name, USERS_NAME_MAX), true);
	if (!str_starts(str_trim(line), STR("/"))) {
		finding(FINDING_FAULT, where,
		    "'%.*s' has no absolute mailbox path", (int)b.n, b.p);
		return;
	}
	buf_clear(&n.logged);
	rc = users_find(
	    &n.enquiry->x.users, name, n.site->conf->hostname, &user);
	if (rc == 0)
		return;
	n.wrong++;
	finding(FINDING_FAULT, where, "'%.*s': %s%s%.*s", (int)b.n, b.p,
	    rc < 0 ? strerror(-rc) : "cannot be a user",
	    n.logged.n > 0 ? ": " : "", (int)n.logged.n, n.logged.p);
}

static void check_users(const struct conf *c)
{
	struct text *file = &n.enquiry->x.users.file;
	char room[PART_PATH_MAX];
	struct buf where = BUF(room);
	struct str text, line;
	unsigned at = 0, count = 0;
	int rc = text_refresh(file, c->users_file);

	if (rc < 0) {
		finding(FINDING_FAULT, c->users_file, "cannot be read: %s",
		    strerror(-rc));
		return;
	}
	n.wrong = 0;
	text = buf_str(&file->b);
	while (str_cut(&text, '\n', &line) && count < ENTRIES_MAX) {
		at++;
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		count++;
		check_user(line, place(&where, c->users_file, at));
	}
	if (n.wrong == 0)
		finding(FINDING_OK, c->users_file, "%u users", count);
}

static void check_recipients(const struct conf *c)
{
	if (access(c->relay_recipients, R_OK) == 0)
		finding(FINDING_OK, c->relay_recipients, "can be read");
	else
		finding(FINDING_FAULT, c->relay_recipients,
		    "cannot be read: %s; mail for relay-domains is put off",
		    strerror(errno));
}

void check_names(const struct site *s)
{
	const struct conf *c = s->conf;

	n.site = s;
	n.logged = BUF(n.logged_text);
	n.enquiry = enquiry_start(c);
	n.enquiry->x.told = told;
	log_divert(keep_log);
	if (c->users_file)
		check_users(c);
	check_aliases(c);
	check_must("postmaster");
	check_must("root");
	check_root_mailbox(s);
	check_caller();
	if (c->relay_recipients)
		check_recipients(c);
	log_divert(NULL);
}
