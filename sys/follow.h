/*
 * The .forward files met in an expansion (sys/expand.c, which alone uses
 * this).
 */
#ifndef SYS_FOLLOW_H
#define SYS_FOLLOW_H

#include "sys/expand.h"

/* An expansion that is going on. */
struct state {
	struct expand *x;
	unsigned flags;
	struct str domain; /* for %d and the owners of lists */
	unsigned naddresses, nboxes, depth;
	bool later, brief;
	struct verdict why;     /* if later */
	struct verdict refusal; /* of a rewritten address; or no status */
};

/* The aliases we are in, innermost first. */
struct chain {
	const struct chain *up;
	struct str name;
	struct str owner; /* reverse-path of what comes out, or empty */
	unsigned depth;
	const struct user *person; /* whose .forward it is; NULL: an alias */
};

/* The mailbox of a user, or what his .forward says. */
void follow_person(
    struct state *s, const struct user *user, const struct chain *up);

/* A target of the .forward we are in: a path, a command; a fault, logged. */
void follow_file(struct state *s, struct str path, const struct chain *up);
void follow_command(struct state *s, struct str line, const struct chain *up);
void follow_fault(struct state *s, struct str what, const char *error,
    const struct user *person);

/* expand.c: what comes of a target; a mailbox; a reason to put all off. */
void expand_target(
    struct state *s, const struct alias_target *t, const struct chain *up);
void expand_box(struct state *s, struct box *box, const struct chain *up);
void expand_later(struct state *s, struct verdict why);
void expand_tell(
    struct state *s, enum expand_event event, struct str what, struct str more);

#endif
