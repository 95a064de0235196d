/*
 * An expansion of a name as deliver makes it (sys/expand.h), for who only
 * wants to know: with the caller's own rights, and nothing is delivered.
 */
#ifndef SYS_ENQUIRY_H
#define SYS_ENQUIRY_H

#include "sys/conf.h"
#include "sys/expand.h"

/* One of its kind; `told` and `told_arg` of x are the caller's to set. */
struct enquiry {
	struct expand x;
	struct identity self; /* deliver's, as it will be */
};

/* The mail system is the caller's own: he owns its spool, and is not root. */
bool enquiry_is_private(const struct conf *c);

struct enquiry *enquiry_start(const struct conf *c);

/* From here on .forward files are followed: the caller's own, and as root
 * everybody's, each read as its user, by the code that deliver uses. */
void enquiry_look_into_homes(struct enquiry *e);

/* The plan for a name; its views live until the next one.  A plan that
 * cannot be read is "later". */
void enquiry_plan(struct enquiry *e, unsigned flags, struct str name,
    struct str domain, struct plan *plan);

#endif
