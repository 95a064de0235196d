/*
 * The original, or its header, at the end of a report about it.
 *
 * The octets of a line that could become one of our boundaries are held back
 * until it is known whether they do.  A boundary is made of the identifier of
 * the message, which its sender did not know when he wrote it; that he may
 * have guessed it makes no difference here.
 */
#include "mail/report.h"

static const char mark[] = "--" REPORT_MARK;
enum {
	MARK = sizeof(mark) - 1,
	LONGEST = 998 /* RFC 5322 2.1.1 */
};

bool report_is_plain(size_t *column, struct str piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		unsigned char c = (unsigned char)piece.p[i];

		if (c == '\n')
			*column = 0;
		else if (c == 0 || c == '\r' || c > 0x7e || ++*column > LONGEST)
			return false;
	}
	return true;
}

/* 998 octets, and a blank that may go before them. */
static void put_octet(struct report_copy *c, char octet, struct buf *out)
{
	if (octet == '\n') {
		c->column = 0;
	} else if (c->column >= LONGEST - 1) {
		buf_putz(out, "\n ");
		c->column = 2;
	} else {
		c->column++;
	}
	buf_putc(out, octet == '\0' || octet == '\r' ? '?' : octet);
}

static void release(struct report_copy *c, struct buf *out)
{
	size_t n = c->nmatched;

	c->nmatched = 0;
	for (size_t i = 0; i < n; i++)
		put_octet(c, mark[i], out);
}

static void take(struct report_copy *c, char octet, struct buf *out)
{
	if (c->column == 0 && octet == mark[c->nmatched]) {
		if (++c->nmatched < MARK)
			return;
		put_octet(c, ' ', out);
		release(c, out);
		return;
	}
	release(c, out);
	put_octet(c, octet, out);
}

/* Where the header ends: an empty line. */
static bool is_over(const struct report_copy *c, const struct report *r, char o)
{
	size_t max = r->full ? REPORT_OCTETS_MAX : REPORT_HEADER_MAX;

	return c->noctets >= max || (!r->full && !c->within && o == '\n');
}

size_t report_copy(struct report_copy *c, const struct report *r, struct str in,
    struct buf *out)
{
	size_t i = 0;

	for (; i < in.n && out->cap - out->n >= REPORT_COPY_ROOM; i++) {
		if (!c->over && is_over(c, r, in.p[i]))
			c->over = true;
		if (c->over)
			return in.n;
		c->within = in.p[i] != '\n';
		c->noctets++;
		if (report_is_quoted(r))
			qp_feed(&c->qp, str_at(in.p + i, 1), out);
		else
			take(c, in.p[i], out);
	}
	return i;
}

void report_copy_finish(
    struct report_copy *c, const struct report *r, struct buf *out)
{
	if (report_is_quoted(r))
		qp_finish(&c->qp, out);
	else
		release(c, out);
	*c = (struct report_copy){ .over = true };
}
