/*
 * From a local name to the boxes its mail goes to: aliases, users, tags, the
 * catch-all, and the rules for accounts of the system.
 */
#ifndef SYS_EXPAND_H
#define SYS_EXPAND_H

#include "mail/str.h"
#include "sys/conf.h"
#include "sys/home.h"
#include "sys/identity.h"
#include "sys/text.h"
#include "sys/users.h"

enum {
	EXPAND_DEPTH = 10,     /* aliases of aliases */
	EXPAND_ADDRESSES = 100 /* of one recipient, those elsewhere too */
};

enum expand_event {
	EXPAND_ALIAS,   /* what: its name, more: its targets, a view of the
			   * alias file */
	EXPAND_INCLUDE, /* what: the file */
	EXPAND_BOX,     /* what: the user; box */
	EXPAND_HOME,    /* what: the user, more: the home; what his .forward
			 * says follows */
	EXPAND_FORWARD, /* what: the address elsewhere */
	EXPAND_SYSTEM,  /* what: an account of the system */
	EXPAND_POSTMASTER,
	EXPAND_SKIP, /* what: nobody, a member of a list */
	EXPAND_FAULT /* what: is wrong, more: how */
};

struct expand_step {
	enum expand_event event;
	unsigned depth; /* of aliases, 0: the recipient himself */
	struct str what, more;
	const struct box *box;
};

/* What an expansion looks into; the buffers belong to the caller. */
struct expand {
	struct str from; /* the reverse-path, for mail that goes elsewhere */
	const struct conf *conf;
	const struct identity *self;
	struct users users;
	struct text aliases;
	struct buf include;  /* room for included and .forward files */
	struct buf boxes;    /* room for the boxes */
	struct buf forwards; /* ... and for addresses of other hosts */
	/* Told of each step, for who explains it; NULL: nobody is. */
	void (*told)(void *arg, const struct expand_step *step);
	void *told_arg;
	/* Looks into a home; false when the answer did not come.  Its views
	 * live until the next question.  NULL: there is no .forward. */
	bool (*ask)(const struct home *h, struct home_answer *a, void *self);
	void *ask_self;
};

/*
 * The plan for local part `name`, appended to *out as plan_put and plan_box
 * do.  `flags` of enum request_flags; `domain` as the client gave it.
 */
void expand_plan(struct expand *x, unsigned flags, struct str name,
    struct str domain, struct buf *out);

#endif
