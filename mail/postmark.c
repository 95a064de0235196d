/*
 * The octets of "From " are held back until it is known whether they are all
 * there, in however many pieces they come.
 */
#include "mail/postmark.h"

static const struct str mark = { "From ", 5 };

/* False when this is no postmark. */
static bool match(struct postmark *m, struct str *in)
{
	while (m->nmatched < mark.n && in->n > 0) {
		if (in->p[0] != mark.p[m->nmatched])
			return false;
		m->nmatched++;
		*in = str_skip(*in, 1);
	}
	if (m->nmatched == mark.n)
		m->at = POSTMARK_LINE;
	return true;
}

struct str postmark_skip(struct postmark *m, struct str in, struct str *held)
{
	size_t lf;

	*held = STR("");
	if (m->at == POSTMARK_START && !match(m, &in))
		*held = postmark_finish(m);
	if (m->at != POSTMARK_LINE)
		return in;
	lf = str_find(in, '\n');
	if (lf < in.n)
		m->at = POSTMARK_OVER;
	return str_skip(in, lf + 1);
}

struct str postmark_finish(struct postmark *m)
{
	struct str held = str_head(mark, m->nmatched);

	if (m->at != POSTMARK_START)
		held.n = 0;
	m->at = POSTMARK_OVER;
	return held;
}
