/*
 * A reader of replies, octet by octet.  Lines of one reply have one code; a
 * line end is CR LF, or LF alone as some servers write it; other controls and
 * octets above 0x7e are kept as question marks.
 */
#include "mail/reply.h"

static void keep(struct reply *r, char c)
{
	if (c < ' ' || c > '~')
		c = '?';
	if (r->ntext < REPLY_TEXT_MAX)
		r->text[r->ntext++] = c;
}

/* What looked like a status and was none is text. */
static void give_up_status(struct reply *r)
{
	for (unsigned i = 0; i < r->nmaybe; i++)
		keep(r, r->maybe[i]);
	r->in_status = false;
	r->nmaybe = 0;
}

/* RFC 3463: the class of the code, and two numbers of 1 to 3 digits.  Nothing
 * but digits and dots was collected. */
static bool is_status(const struct reply *r)
{
	struct str s = str_at(r->maybe, r->nmaybe), part;
	unsigned n = 0;

	if (s.n < 5 || s.n > REPLY_STATUS_MAX || s.p[s.n - 1] == '.')
		return false;
	while (str_cut(&s, '.', &part)) {
		n++;
		if (part.n < 1 || part.n > 3)
			return false;
		if (n == 1 && (part.n != 1 || (unsigned)(part.p[0] - '0') !=
						  r->line_code / 100))
			return false;
	}
	return n == 3;
}

/* A blank or the end of the line behind it. */
static void end_status(struct reply *r, bool blank)
{
	bool good = is_status(r);

	if (good) {
		for (unsigned i = 0; i < r->nmaybe; i++)
			r->status[i] = r->maybe[i];
		r->nstatus = r->nmaybe;
		r->nmaybe = 0;
		r->in_status = false;
		return;
	}
	give_up_status(r);
	if (blank)
		keep(r, ' ');
}

static void take_text(struct reply *r, char c)
{
	if (!r->in_status)
		keep(r, c);
	else if (c == ' ')
		end_status(r, true);
	else if (r->nmaybe < sizeof(r->maybe) && (str_isdigit(c) || c == '.'))
		r->maybe[r->nmaybe++] = c;
	else {
		give_up_status(r);
		keep(r, c);
	}
}

static int take_digit(struct reply *r, char c)
{
	if (!str_isdigit(c))
		return REPLY_BAD;
	r->line_code = r->line_code * 10 + (unsigned)(c - '0');
	if (++r->ndigits < 3)
		return 0;
	if (r->line_code < 200 || r->line_code > 599 ||
	    (r->nlines > 0 && r->line_code != r->code))
		return REPLY_BAD;
	r->code = r->line_code;
	r->at = REPLY_MARK;
	return 0;
}

static int end_line(struct reply *r)
{
	if (r->in_status)
		end_status(r, false);
	r->at = REPLY_CODE;
	r->line_code = r->ndigits = 0;
	if (r->last)
		return REPLY_DONE;
	return ++r->nlines < REPLY_LINES_MAX ? 0 : REPLY_BAD;
}

/* "250-", "250 ", or "250" alone, which is a last line. */
static int take_mark(struct reply *r, char c)
{
	r->last = c != '-';
	r->in_status = true;
	r->nmaybe = 0;
	if (c == '\n')
		return end_line(r);
	if (c == '\r') {
		r->at = REPLY_CR;
		return 0;
	}
	if (c != '-' && c != ' ')
		return REPLY_BAD;
	if (r->nlines > 0 && r->ntext > 0)
		keep(r, '/');
	r->at = REPLY_TEXT;
	return 0;
}

static int take(struct reply *r, char c)
{
	switch (r->at) {
	case REPLY_CODE:
		return take_digit(r, c);
	case REPLY_MARK:
		return take_mark(r, c);
	case REPLY_TEXT:
		if (c == '\n')
			return end_line(r);
		if (c == '\r')
			r->at = REPLY_CR;
		else
			take_text(r, c);
		return 0;
	case REPLY_CR:
		break;
	}
	if (c == '\n')
		return end_line(r);
	take_text(r, '\r');
	if (c != '\r') {
		r->at = REPLY_TEXT;
		take_text(r, c);
	}
	return 0;
}

int reply_feed(struct reply *r, struct str *in)
{
	while (in->n > 0) {
		int rc = take(r, in->p[0]);

		*in = str_skip(*in, 1);
		if (rc != 0)
			return rc;
		if (++r->octets > REPLY_OCTETS_MAX)
			return REPLY_BAD;
	}
	return 0;
}

struct str reply_status(const struct reply *r)
{
	if (r->nstatus > 0)
		return str_at(r->status, r->nstatus);
	return r->code >= 500   ? STR("5.0.0")
	       : r->code >= 400 ? STR("4.0.0")
				: STR("2.0.0");
}

struct str reply_text(const struct reply *r)
{
	return str_at(r->text, r->ntext);
}
