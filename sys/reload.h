/*
 * The configuration of a program that stays: read again when the file changed.
 * A bad change keeps what was good, and is logged.
 */
#ifndef SYS_RELOAD_H
#define SYS_RELOAD_H

#include "sys/conf.h"
#include "sys/text.h"

struct reload {
	const char *path;       /* as conf_read wants it */
	const struct conf *now; /* NULL: none was good yet */
	bool tried;
	struct text_mark mark;
	struct conf slot[2];
};

/* True when r->now has become another one.  Views into the one before it
 * live until the next time. */
bool reload_check(struct reload *r);

#endif
