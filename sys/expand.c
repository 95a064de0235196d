/*
 * The expansion of one recipient.  Its answer is the gravest thing that was
 * met on the way: something that cannot be settled now (a mailbox that is
 * not there, an alias that is not understood) before an address of another
 * host, before mailboxes, before nothing.  So no copy is forgotten because
 * the others went well.
 *
 * A name met again within its own expansion is that user himself: "bob: bob,
 * carol" keeps a copy, and "root: postmaster" with "postmaster: root" ends
 * in root's mailbox.
 *
 * What goes to another host gets a reverse-path of ours, and what comes back
 * to such an address leads to the sender whom it stands for (sys/rewrite).
 */
#include "sys/expand.h"

#include <errno.h>

#include "mail/addr.h"
#include "mail/alias.h"
#include "sys/aliases.h"
#include "sys/failure.h"
#include "sys/follow.h"
#include "sys/log.h"
#include "sys/rewrite.h"

static void add_name(struct state *s, struct str name, const struct chain *up);

void expand_tell(
    struct state *s, enum expand_event event, struct str what, struct str more)
{
	struct expand_step step = { event, s->depth, what, more, NULL };

	if (s->x->told)
		s->x->told(s->x->told_arg, &step);
}

void expand_later(struct state *s, struct verdict why)
{
	if (!s->later)
		s->why = why;
	s->later = true;
}

/* A fault of the alias file: logged, and temporary, for it can be mended. */
static void alias_fault(struct state *s, struct str what, const char *error)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "alias");
	log_str(&l, "target", what);
	log_str(&l, "error", str_of(error));
	log_end(&l);
	expand_tell(s, EXPAND_FAULT, what, str_of(error));
	expand_later(s, (struct verdict){ VERDICT_LATER, STR("4.3.5"),
			    STR("an alias cannot be followed now") });
}

/* The others of the list shall not go without because of one; but a .forward
 * is its user's alone. */
static void skip_member(
    struct state *s, struct str name, const struct chain *up)
{
	struct log l;

	if (up->person) {
		follow_fault(s, name, "no such user", up->person);
		return;
	}
	expand_tell(s, EXPAND_SKIP, name, STR(""));
	log_begin(&l, LOGL_WARNING, "alias");
	log_str(&l, "target", name);
	log_str(&l, "error", STR("no such user, left out"));
	log_end(&l);
}

static void alias_loop(struct state *s, struct str what, const char *error)
{
	alias_fault(s, what, error);
	s->why.status = STR("4.4.6");
}

void expand_box(struct state *s, struct box *box, const struct chain *up)
{
	struct expand_step step = { EXPAND_BOX, s->depth, box->user, box->path,
		box };

	box->owner = up ? up->owner : STR("");
	if (s->x->told)
		s->x->told(s->x->told_arg, &step);
	plan_box(&s->x->boxes, box);
	s->nboxes++;
}

static void add_root(struct state *s, const struct chain *up)
{
	const struct identity *self = s->x->self;
	struct box box = { BOX_MAILDIR, self->uid, self->gid, STR("root"),
		str_of(s->x->conf->root_mailbox), STR(""), STR("") };

	expand_box(s, &box, up);
}

/* An account of the system: root answers for what local programs send it. */
static int add_system(struct state *s, struct str name, const struct chain *up)
{
	expand_tell(s, EXPAND_SYSTEM, name, STR(""));
	if ((s->flags & REQUEST_LOCAL) == 0)
		return USERS_NONE;
	add_name(s, STR("root"), up);
	return 0;
}

/* There is such a user, but not now. */
static void later_user(struct state *s, struct str name, struct verdict why)
{
	expand_tell(s, EXPAND_FAULT, name, why.text);
	expand_later(s, why);
}

/*
 * The user of exactly this name; `final`: whatever his .forward says.
 * 0 (whatever came of it) or USERS_NONE.
 */
static int add_user(
    struct state *s, struct str name, const struct chain *up, bool final)
{
	struct user user;
	int rc;

	if (str_eqcase(name, STR("root"))) {
		add_root(s, up);
		return 0;
	}
	rc = users_find(&s->x->users, name, s->domain, &user);
	if (rc == USERS_NONE && s->x->conf->users_file &&
	    (s->flags & REQUEST_LOCAL) != 0)
		rc = users_is_system(&s->x->users, name);
	if (rc == USERS_SYSTEM)
		return add_system(s, name, up);
	if (rc == USERS_NONE)
		return rc;
	if (rc < 0) {
		later_user(s, name, failure_verdict(rc));
		return 0;
	}
	if (final)
		user.box.home = STR("");
	follow_person(s, &user, up);
	return 0;
}

/* An address of another host, unless it is there already. */
static void add_forward(
    struct state *s, const struct addr *a, const struct chain *up)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);
	struct str list = buf_str(&s->x->forwards), address, owner;

	addr_put(&b, a);
	while (request_forward(&list, &address, &owner) == 0)
		if (str_eq(address, buf_str(&b)) && str_eq(owner, up->owner))
			return;
	expand_tell(s, EXPAND_FORWARD, buf_str(&b), up->owner);
	request_field(&s->x->forwards, buf_str(&b));
	request_field(&s->x->forwards, up->owner);
}

static void add_address(
    struct state *s, struct str text, const struct chain *up)
{
	struct addr a;

	if (addr_mailbox(text, ADDR_UTF8_OK, &a) != 0 && up->person)
		follow_fault(s, text, "not an address", up->person);
	else if (addr_mailbox(text, ADDR_UTF8_OK, &a) != 0)
		alias_fault(s, text, "not an address");
	else if (a.host == HOST_NAME &&
		 conf_has_domain(&s->x->conf->local_domains, addr_domain(&a)))
		add_name(s, addr_local(&a), up);
	else
		add_forward(s, &a, up);
}

static void add_targets(
    struct state *s, struct str targets, const struct chain *up);

/* The members in a file, which are not remembered: it may change unseen. */
static void add_include(
    struct state *s, struct str path, const struct chain *up)
{
	struct buf *room = &s->x->include;
	size_t mark = room->n;
	int rc;

	s->brief = true;
	rc = up->depth >= EXPAND_DEPTH
		 ? -1
		 : aliases_include(s->x->self, path, room);
	if (rc == 0) {
		struct chain c = { up, STR(""), up->owner, up->depth + 1,
			NULL };

		expand_tell(s, EXPAND_INCLUDE, path, STR(""));
		add_targets(s, str_at(room->p + mark, room->n - mark), &c);
	} else {
		alias_fault(s, path, "cannot be included");
	}
	room->n = mark;
}

/* The file is the administrator's, and so is the choice of the user. */
static void add_command(
    struct state *s, struct str line, const struct chain *up)
{
	const struct conf *conf = s->x->conf;
	const struct identity *self = s->x->self;
	char text[ALIAS_TARGET_MAX + 1];
	struct buf b = BUF(text);
	struct box box = {
		.kind = BOX_COMMAND, .uid = self->uid, .gid = self->gid
	};

	if (!conf->commands || !conf->command_user) {
		alias_fault(s, line,
		    conf->commands ? "no command-user is configured"
				   : "commands are not enabled");
		return;
	}
	buf_putc(&b, '|');
	buf_put(&b, line);
	box.user = str_of(conf->command_user);
	box.path = buf_str(&b);
	expand_box(s, &box, up);
}

void expand_target(
    struct state *s, const struct alias_target *t, const struct chain *up)
{
	if (++s->naddresses > EXPAND_ADDRESSES) {
		if (s->naddresses == EXPAND_ADDRESSES + 1)
			alias_loop(s, t->text, "too many addresses");
		return;
	}
	if (up->person && t->kind == ALIAS_INCLUDE) {
		follow_fault(s, t->text, "nothing is included", up->person);
		return;
	}
	switch (t->kind) {
	case ALIAS_USER:
		add_name(s, t->text, up);
		break;
	case ALIAS_FINAL:
		if (add_user(s, t->text, up, true) != 0)
			skip_member(s, t->text, up);
		break;
	case ALIAS_ADDRESS:
		add_address(s, t->text, up);
		break;
	case ALIAS_INCLUDE:
		add_include(s, t->text, up);
		break;
	case ALIAS_FILE:
		if (up->person)
			follow_file(s, t->text, up);
		else
			alias_fault(s, t->text, "files are not enabled");
		break;
	case ALIAS_COMMAND:
		if (up->person)
			follow_command(s, t->text, up);
		else
			add_command(s, t->text, up);
		break;
	}
}

static void add_targets(
    struct state *s, struct str targets, const struct chain *up)
{
	char room[ALIAS_TARGET_MAX];
	struct alias_target t;
	int rc;

	s->depth = up->depth;
	while ((rc = alias_target_next(&targets, room, &t)) != ALIAS_END &&
	       s->naddresses <= EXPAND_ADDRESSES) {
		if (rc == 0)
			expand_target(s, &t, up);
		else
			alias_fault(s, str_head(targets, 0), "not understood");
		s->depth = up->depth;
	}
}

/* owner-NAME@DOMAIN into *b when there is such an alias. */
static void find_owner(struct state *s, struct str name, struct buf *b)
{
	struct addr a = { .host = HOST_NAME };
	struct buf local = BUF(a.local), domain = BUF(a.domain);
	struct str targets;

	buf_putz(&local, "owner-");
	buf_lower(&local, name);
	buf_put(&domain, s->domain);
	if (local.full || domain.full || str_startscase(name, STR("owner-")) ||
	    aliases_find(&s->x->aliases, buf_str(&local), &targets) != 0)
		return;
	a.nlocal = (unsigned char)local.n;
	a.ndomain = (unsigned char)domain.n;
	addr_put(b, &a);
}

/* The alias of exactly this name.  0 or ALIASES_NONE. */
static int add_alias(struct state *s, struct str name, const struct chain *up)
{
	struct chain c = { up, name, up ? up->owner : STR(""),
		up ? up->depth + 1 : 1, NULL };
	char text[ADDR_TEXT_MAX];
	struct buf owner = BUF(text);
	struct str targets;

	if (aliases_find(&s->x->aliases, name, &targets) != 0)
		return ALIASES_NONE;
	if (c.depth > EXPAND_DEPTH) {
		alias_loop(s, name, "too many aliases of aliases");
		return 0;
	}
	find_owner(s, name, &owner);
	if (owner.n > 0 && !owner.full)
		c.owner = buf_str(&owner);
	expand_tell(s, EXPAND_ALIAS, name, targets);
	add_targets(s, targets, &c);
	return 0;
}

static bool is_within(const struct chain *c, struct str name)
{
	for (; c; c = c->up)
		if (!c->person && str_eqcase(c->name, name))
			return true;
	return false;
}

/* One spelling of a name.  0, or USERS_NONE: nobody is called so. */
static int try_name(struct state *s, struct str name, const struct chain *up)
{
	bool again = is_within(up, name);

	if (name.n == 0)
		return USERS_NONE;
	if (!again && add_alias(s, name, up) == 0)
		return 0;
	if (add_user(s, name, up, false) == 0)
		return 0;
	if (again) {
		alias_loop(s, name, "an alias leads to itself");
		return 0;
	}
	if (!str_eqcase(name, STR("postmaster")))
		return USERS_NONE;
	expand_tell(s, EXPAND_POSTMASTER, name, STR(""));
	add_name(s, STR("root"), up);
	return 0;
}

/* The name, then without its +tag, then, for a recipient, the catch-all. */
static void add_name(struct state *s, struct str name, const struct chain *up)
{
	size_t plus = str_find(name, '+');

	if (try_name(s, name, up) == 0)
		return;
	if (plus < name.n && try_name(s, str_head(name, plus), up) == 0)
		return;
	if (!up)
		(void)add_alias(s, STR("*"), up);
	else
		skip_member(s, name, up);
}

/* A rewritten address leads back, or nowhere.  False: it is none. */
static bool add_original(struct state *s, struct str name)
{
	static const struct verdict forged = { VERDICT_NEVER, { "5.7.1", 5 },
		{ "not an address that was given out here", 38 } };
	static const struct verdict old = { VERDICT_NEVER, { "5.1.1", 5 },
		{ "this address was good for some weeks only", 41 } };
	const struct chain top = { NULL, STR(""), STR(""), 1, NULL };
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);
	int rc = rewrite_back(s->x->conf, s->x->self, name, &b);

	s->brief = s->brief || rc != SRS_NOT;
	if (rc == 0)
		add_address(s, buf_str(&b), &top);
	else if (rc == SRS_FORGED || rc == SRS_OLD)
		s->refusal = rc == SRS_OLD ? old : forged;
	else if (rc < 0)
		expand_later(s, failure_verdict(rc));
	return rc != SRS_NOT;
}

/* The sender as those hosts shall see him.  False, and "later", if he cannot
 * be rewritten. */
static bool find_sender(struct state *s, struct buf *sender)
{
	struct str list = buf_str(&s->x->forwards), address, owner;
	bool his = false;
	int rc = 0;

	while (request_forward(&list, &address, &owner) == 0)
		his = his || owner.n == 0;
	if (his)
		rc = rewrite_sender(s->x->conf, s->x->self, s->x->from, sender);
	if (rc < 0)
		expand_later(s, failure_verdict(rc));
	return rc == 0;
}

static struct verdict conclude(const struct state *s)
{
	if (s->later)
		return s->why;
	if (s->refusal.status.n > 0)
		return s->refusal;
	if (s->x->forwards.n > 0)
		return (struct verdict){ VERDICT_FORWARD, STR("4.3.0"),
			STR("leads to other hosts, not possible now") };
	if (s->nboxes > 0)
		return (
		    struct verdict){ VERDICT_DONE, STR("2.1.5"), STR("good") };
	return (struct verdict){ VERDICT_NEVER, STR("5.1.1"),
		STR("no such user here") };
}

void expand_plan(struct expand *x, unsigned flags, struct str name,
    struct str domain, struct buf *out)
{
	struct state s = { .x = x, .flags = flags };
	int rc = aliases_refresh(&x->aliases, x->conf->aliases);
	char text[ADDR_TEXT_MAX];
	struct buf sender = BUF(text);
	struct verdict v;

	buf_clear(&x->boxes);
	buf_clear(&x->include);
	buf_clear(&x->forwards);
	s.domain = conf_has_domain(&x->conf->local_domains, domain)
		       ? domain
		       : x->conf->hostname;
	if (rc < 0)
		expand_later(
		    &s, (struct verdict){ VERDICT_LATER, STR("4.3.5"),
			    STR("the alias file cannot be read now") });
	else if (!add_original(&s, name))
		add_name(&s, name, NULL);
	if (x->boxes.full || x->forwards.full || s.nboxes > PLAN_BOXES)
		expand_later(&s, failure_verdict(-E2BIG));
	v = conclude(&s);
	if (v.kind == VERDICT_FORWARD && !find_sender(&s, &sender))
		v = conclude(&s);
	if (v.kind == VERDICT_FORWARD)
		plan_put_forwards(
		    out, &v, buf_str(&sender), buf_str(&x->forwards));
	else
		plan_put(out, &v, v.kind == VERDICT_DONE && !s.brief);
	if (v.kind == VERDICT_DONE || v.kind == VERDICT_FORWARD)
		buf_put(out, buf_str(&x->boxes));
}
