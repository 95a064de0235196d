/*
 * The text of aliases(5): "name: target, target ..." with continuation lines,
 * # comments and quoting, parsed without allocation.
 */
#ifndef MAIL_ALIAS_H
#define MAIL_ALIAS_H

#include "mail/str.h"

enum alias_kind {
	ALIAS_USER,    /* a local name, aliases apply to it in turn */
	ALIAS_FINAL,   /* \name: that user's mailbox, no further aliases */
	ALIAS_ADDRESS, /* user@domain */
	ALIAS_INCLUDE, /* :include:/path */
	ALIAS_COMMAND, /* |command */
	ALIAS_FILE     /* /path */
};

struct alias_entry {
	struct str name;    /* as written, quotes removed; view into the text */
	struct str targets; /* raw, with continuation lines */
	unsigned line;      /* of the entry, from 1 */
};

struct alias_target {
	enum alias_kind kind;
	struct str text; /* what is meant, without mark and quotes */
};

enum alias_answer {
	ALIAS_END = 1, /* no more */
	ALIAS_BAD = 2  /* cannot be understood; reading may go on */
};

enum { ALIAS_TARGET_MAX = 512 }; /* octets of one target */

/*
 * The next entry off the front of *text; *line counts (start it at 1).
 * 0, ALIAS_END, or ALIAS_BAD (e->line tells where; the line is skipped).
 */
int alias_next(struct str *text, unsigned *line, struct alias_entry *e);

/*
 * The next target off the front of *targets (of an entry, or of an :include:
 * file, where newlines separate too and # begins a comment).  A target with
 * escapes is unquoted into `room` (ALIAS_TARGET_MAX octets); t->text is a view
 * into either.  0, ALIAS_END or ALIAS_BAD (that target is skipped).
 */
int alias_target_next(struct str *targets, char *room, struct alias_target *t);

/* Names of aliases compare without regard to ASCII case. */
bool alias_is(const struct alias_entry *e, struct str name);

#endif
