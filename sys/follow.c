/*
 * A .forward file is followed as an alias is, with what its user may do: his
 * own mailboxes, nothing included, and no target left out for the others.
 * Whatever is wrong with it puts the mail off, for to keep it here would be
 * as wrong as to guess.
 */
#include "sys/follow.h"

#include <limits.h>

#include "sys/log.h"

#define FAULT "the user's .forward cannot be followed now"

/* A fault of the file: likewise, and for all that it says. */
void follow_fault(struct state *s, struct str what, const char *error,
    const struct user *person)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "forward");
	log_str(&l, "user", person->box.user);
	log_str(&l, "target", what);
	log_str(&l, "error", str_of(error));
	log_end(&l);
	expand_tell(s, EXPAND_FAULT, what.n > 0 ? what : person->box.user,
	    str_of(error));
	expand_later(
	    s, (struct verdict){ VERDICT_LATER, STR("4.3.5"), STR(FAULT) });
}

/* A Maildir or an mbox file in the home of the user. */
void follow_file(struct state *s, struct str path, const struct chain *up)
{
	const struct user *person = up->person;
	char text[PATH_MAX];
	struct buf b = BUF(text);
	enum dotforward_kind kind;
	struct box box = person->box;

	if (dotforward_path(str_of(person->home), path, &b, &kind) != 0) {
		follow_fault(s, path, "not a path in the home", person);
		return;
	}
	box.kind = kind == DOTFORWARD_MAILDIR ? BOX_MAILDIR : BOX_MBOX;
	box.path = buf_str(&b);
	box.home = STR("");
	expand_box(s, &box, up);
}

/* To be run as the user, who must be one of the system: a name of a file of
 * users says nothing to others. */
void follow_command(struct state *s, struct str line, const struct chain *up)
{
	const struct user *person = up->person;
	char text[ALIAS_TARGET_MAX + 1];
	struct buf b = BUF(text);
	struct box box = person->box;

	if (!s->x->conf->commands || person->borrowed) {
		follow_fault(s, line, "commands are not enabled", person);
		return;
	}
	buf_putc(&b, '|');
	buf_put(&b, line);
	box.kind = BOX_COMMAND;
	box.path = buf_str(&b);
	box.home = STR("");
	expand_box(s, &box, up);
}

/* What the file says; nothing at all is as if there were none. */
static void follow(struct state *s, const struct user *person, struct str text,
    const struct chain *up)
{
	struct chain c = { up, person->box.user, up ? up->owner : STR(""),
		up ? up->depth + 1 : 1, person };
	struct buf *room = &s->x->include;
	size_t mark = room->n, begin = s->naddresses;
	char target[ALIAS_TARGET_MAX];
	struct box box = person->box;
	struct alias_target t;
	int rc;

	expand_tell(s, EXPAND_HOME, person->box.user, person->box.home);
	s->brief = true;
	s->depth = c.depth;
	buf_put(room, text);
	text = str_at(room->p + mark, room->n - mark);
	if (room->full || c.depth > EXPAND_DEPTH)
		follow_fault(s, STR(""), "too many files", person);
	while (!s->later &&
	       (rc = dotforward_next(&text, target, &t)) != ALIAS_END) {
		if (rc == 0)
			expand_target(s, &t, &c);
		else
			follow_fault(
			    s, str_head(text, 0), "not understood", person);
		s->depth = c.depth;
	}
	room->n = mark;
	room->full = false;
	box.home = STR("");
	if (!s->later && s->naddresses == begin)
		expand_box(s, &box, up);
}

static bool is_followed(const struct chain *c, struct str user)
{
	for (; c; c = c->up)
		if (c->person && str_eq(c->person->box.user, user))
			return true;
	return false;
}

/* The user and what he himself wants done with his mail. */
void follow_person(
    struct state *s, const struct user *user, const struct chain *up)
{
	static const struct verdict refused = { VERDICT_LATER, { "4.3.5", 5 },
		{ FAULT, sizeof(FAULT) - 1 } };
	static const struct home_answer lost = { HOME_LATER, { "no answer", 9 },
		{ "", 0 } };
	struct home h = { user->box.uid, user->box.gid, user->borrowed,
		user->box.home };
	struct box box = user->box;
	struct home_answer a = { HOME_NONE, STR(""), STR("") };

	if (s->later)
		return;
	if (is_followed(up, box.user) || !s->x->ask)
		a.state = HOME_NOT_HIS;
	else if (box.home.n > 0 && !s->x->ask(&h, &a, s->x->ask_self))
		a = lost;
	switch (a.state) {
	case HOME_NOT_HIS:
		box.home = STR("");
		expand_box(s, &box, up);
		break;
	case HOME_NONE:
		expand_box(s, &box, up);
		break;
	case HOME_TEXT:
		follow(s, user, a.text, up);
		break;
	case HOME_FAULT: /* logged by who saw it */
		expand_later(s, refused);
		break;
	case HOME_LATER:
		expand_later(s, (struct verdict){ VERDICT_LATER, STR("4.2.0"),
				    STR("the user's home is not there now") });
		break;
	}
}
