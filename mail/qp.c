/*
 * Quoted-printable, RFC 2045 6.7.  A blank is held back until it is known
 * whether its line ends behind it, for then it must be encoded; a line is
 * broken softly before a token that would leave no room for the break.
 */
#include "mail/qp.h"

/* A token is never torn in two. */
static void token(struct qp *q, struct str s, struct buf *out)
{
	if (q->column + s.n > QP_LINE_MAX - 1) {
		buf_putz(out, "=\n");
		q->column = 0;
	}
	buf_put(out, s);
	q->column += (unsigned)s.n;
}

static void encoded(struct qp *q, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;
	char text[3] = { '=', digits[u >> 4], digits[u & 15] };

	token(q, str_at(text, sizeof(text)), out);
}

static void release(struct qp *q, bool line_ends, struct buf *out)
{
	char c = q->held;

	q->held = 0;
	if (c == 0)
		return;
	if (line_ends)
		encoded(q, c, out);
	else
		token(q, str_at(&c, 1), out);
}

/* Would this octet be first in a line that a soft break began? */
static bool is_first(const struct qp *q)
{
	return q->column == QP_LINE_MAX - 1;
}

static void take(struct qp *q, char c, struct buf *out)
{
	release(q, c == '\n', out);
	if (c == '\n') {
		buf_putc(out, '\n');
		*q = (struct qp){ 0 };
	} else if (c == ' ' || c == '\t') {
		q->held = c;
	} else if (c > ' ' && c < 0x7f && c != '=' &&
		   (c != '-' || !is_first(q))) {
		token(q, str_at(&c, 1), out);
	} else {
		encoded(q, c, out);
	}
}

size_t qp_feed(struct qp *q, struct str in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n && out->cap - out->n >= QP_ROOM)
		take(q, in.p[i++], out);
	return i;
}

void qp_finish(struct qp *q, struct buf *out)
{
	release(q, true, out);
	*q = (struct qp){ 0 };
}
