/*
 * A message as a local program writes it: LF or CR LF line ends, perhaps a
 * postmark in front, perhaps a dot on a line of its own at its end.  What
 * comes out is its content with LF line ends.
 */
#ifndef MAIL_INTAKE_H
#define MAIL_INTAKE_H

#include "mail/postmark.h"
#include "mail/str.h"

enum {
	INTAKE_ROOM = 16 /* octets that one can bring out, and those held */
};

enum intake_at {
	INTAKE_LINE,  /* at the start of a line */
	INTAKE_DOT,   /* a dot there, held */
	INTAKE_DOTCR, /* ... and CR */
	INTAKE_TEXT,
	INTAKE_CR, /* CR within a line, held */
	INTAKE_END /* the dot: nothing more is taken */
};

/* All zero but for keep_dots is the start. */
struct intake {
	bool keep_dots; /* a line with a dot is content */
	bool nul;       /* there was one */
	enum intake_at at;
	struct postmark mark;
};

/*
 * Takes octets while *out has INTAKE_ROOM free; returns how many.  A CR that
 * no LF follows is kept.
 */
size_t intake_feed(struct intake *i, struct str in, struct buf *out);

/* No more octets. */
void intake_finish(struct intake *i, struct buf *out);

#endif
