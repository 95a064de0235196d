/*
 * From a local name to the boxes its mail goes to: aliases, users, tags, the
 * catch-all, and the rules for accounts of the system.
 */
#ifndef SYS_EXPAND_H
#define SYS_EXPAND_H

#include "mail/str.h"
#include "sys/conf.h"
#include "sys/identity.h"
#include "sys/text.h"
#include "sys/users.h"

enum {
	EXPAND_DEPTH = 10,     /* aliases of aliases */
	EXPAND_ADDRESSES = 100 /* of one recipient, those elsewhere too */
};

/* What an expansion looks into; the buffers belong to the caller. */
struct expand {
	struct str from; /* the reverse-path, for mail that goes elsewhere */
	const struct conf *conf;
	const struct identity *self;
	struct users users;
	struct text aliases;
	struct buf include;  /* room for the included files */
	struct buf boxes;    /* room for the boxes */
	struct buf forwards; /* ... and for addresses of other hosts */
};

/*
 * The plan for local part `name`, appended to *out as plan_put and plan_box
 * do.  `flags` of enum request_flags; `domain` as the client gave it.
 */
void expand_plan(struct expand *x, unsigned flags, struct str name,
    struct str domain, struct buf *out);

#endif
