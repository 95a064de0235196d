/*
 * The automaton of intake.h.  Within a line whole runs are copied.
 */
#include "mail/intake.h"

#include <string.h>

enum { OCTETS = 4 }; /* that one can bring out, without the postmark */

/* The octet that follows what is held, which it leaves as it was. */
static void take_text(struct intake *i, char c, struct buf *out)
{
	i->at = c == '\n' ? INTAKE_LINE : INTAKE_TEXT;
	if (c == '\r')
		i->at = INTAKE_CR;
	else
		buf_putc(out, c);
}

static void take(struct intake *i, char c, struct buf *out)
{
	switch (i->at) {
	case INTAKE_LINE:
		if (c == '.' && !i->keep_dots)
			i->at = INTAKE_DOT;
		else
			take_text(i, c, out);
		break;
	case INTAKE_DOT:
		if (c == '\n') {
			i->at = INTAKE_END;
		} else if (c == '\r') {
			i->at = INTAKE_DOTCR;
		} else {
			buf_putc(out, '.');
			take_text(i, c, out);
		}
		break;
	case INTAKE_DOTCR:
		if (c == '\n') {
			i->at = INTAKE_END;
		} else {
			buf_putz(out, ".\r");
			take_text(i, c, out);
		}
		break;
	case INTAKE_CR:
		if (c != '\n')
			buf_putc(out, '\r');
		take_text(i, c, out);
		break;
	case INTAKE_TEXT:
		take_text(i, c, out);
		break;
	case INTAKE_END:
		break;
	}
}

/* The octets at the front that are copied as they are. */
static size_t run(const struct intake *i, struct str in)
{
	size_t lf;

	if (i->at != INTAKE_TEXT)
		return 0;
	lf = str_find(in, '\n');
	return str_find(str_head(in, lf), '\r');
}

static size_t feed(struct intake *i, struct str in, struct buf *out)
{
	size_t at = 0;

	while (
	    at < in.n && i->at != INTAKE_END && out->cap - out->n >= OCTETS) {
		size_t room = out->cap - out->n - OCTETS + 1;
		size_t n = run(i, str_head(str_skip(in, at), room));

		if (n == 0) {
			take(i, in.p[at++], out);
			continue;
		}
		buf_put(out, str_at(in.p + at, n));
		at += n;
	}
	return at;
}

size_t intake_feed(struct intake *i, struct str in, struct buf *out)
{
	struct str held, rest = in;
	size_t at;

	if (out->cap - out->n < INTAKE_ROOM)
		return 0;
	if (i->mark.at != POSTMARK_OVER) {
		rest = postmark_skip(&i->mark, in, &held);
		(void)feed(i, held, out);
	}
	at = feed(i, rest, out);
	if (!i->nul)
		i->nul = memchr(rest.p, '\0', at) != NULL;
	if (i->at == INTAKE_END)
		return in.n; /* what follows is nobody's */
	return in.n - rest.n + at;
}

void intake_finish(struct intake *i, struct buf *out)
{
	(void)feed(i, postmark_finish(&i->mark), out);
	if (i->at == INTAKE_DOT && !i->keep_dots) {
		i->at = INTAKE_END; /* a dot without its line end */
		return;
	}
	if (i->at == INTAKE_DOTCR)
		i->at = INTAKE_END;
	else if (i->at == INTAKE_CR)
		buf_putc(out, '\r');
}
