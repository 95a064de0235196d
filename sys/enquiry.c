/*
 * The rooms of a lookup worker without the worker.  deliver's identity is
 * described, never taken.
 */
#include "sys/enquiry.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/aliases.h"
#include "sys/plan.h"

enum { NOBODY = 65534 };

static char aliases_text[ALIASES_TEXT_MAX];
static char include_text[ALIASES_INCLUDE_MAX];
static char users_text[USERS_TEXT_MAX];
static char boxes_text[PLAN_MAX];
static char forwards_text[REQUEST_FORWARDS_MAX];
static char plan_text[PLAN_MAX];
static struct enquiry enquiry;

bool enquiry_is_private(const struct conf *c)
{
	char text[4096];
	struct buf path = BUF(text);
	struct stat st;

	buf_putz(&path, c->spool);
	buf_putz(&path, "/queue");
	buf_putc(&path, '\0');
	return geteuid() != 0 && !path.full && stat(text, &st) == 0 &&
	       st.st_uid == geteuid();
}

static struct identity identity_of_deliver(const struct conf *c)
{
	const struct passwd *pw =
	    enquiry_is_private(c) ? NULL : getpwnam("_postern-deliver");

	if (pw)
		return (struct identity){ pw->pw_uid, pw->pw_gid, true, true };
	if (geteuid() == 0) /* there is nobody to be yet */
		return (struct identity){ NOBODY, NOBODY, true, true };
	return (struct identity){ getuid(), getgid(), false,
		getpwuid(getuid()) != NULL };
}

struct enquiry *enquiry_start(const struct conf *c)
{
	static struct conf copy;
	struct enquiry *e = &enquiry;
	struct expand *x = &e->x;

	/* the secret is deliver's, and is not made by who only asks */
	copy = *c;
	copy.srs = false;
	e->self = identity_of_deliver(c);
	*x = (struct expand){ .conf = &copy, .self = &e->self };
	x->users.conf = &copy;
	x->users.self = &e->self;
	x->users.minimum_uid = c->minimum_uid;
	x->users.file.b = BUF(users_text);
	x->aliases.b = BUF(aliases_text);
	x->include = BUF(include_text);
	x->boxes = BUF(boxes_text);
	x->forwards = BUF(forwards_text);
	return e;
}

void enquiry_plan(struct enquiry *e, unsigned flags, struct str name,
    struct str domain, struct plan *plan)
{
	struct buf b = BUF(plan_text);

	expand_plan(&e->x, flags, name, domain, &b);
	if (b.full || plan_get(buf_str(&b), plan) != 0)
		*plan = (struct plan){ .verdict = { VERDICT_LATER, STR("4.5.3"),
					   STR("too many mailboxes") } };
}
