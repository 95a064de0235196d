/*
 * mbox in its reversible form.  The octets of "From " at the start of a line
 * are held back until it is known whether they are all there; ">" need not
 * be, since one more of them looks the same wherever it stands.
 */
#include "mail/mboxrd.h"

#include "mail/trace.h"

static const char mark[] = "From ";
enum { MARK = sizeof(mark) - 1 };

static void release(struct mboxrd *m, struct buf *out)
{
	m->begun = m->begun || m->nmatched > 0;
	buf_put(out, str_at(mark, m->nmatched));
	m->nmatched = 0;
}

static void take(struct mboxrd *m, char c, struct buf *out)
{
	bool marked = !m->within && c == mark[m->nmatched];

	if (marked && ++m->nmatched < MARK)
		return;
	if (marked) {
		buf_putc(out, '>');
		m->within = true;
		release(m, out);
		return;
	}
	if (m->nmatched > 0 || c != '>')
		m->within = true;
	release(m, out);
	buf_putc(out, c);
	m->begun = c != '\n';
	if (c == '\n')
		m->within = false;
}

size_t mboxrd_feed(struct mboxrd *m, struct str in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n && out->cap - out->n >= MBOXRD_ROOM)
		take(m, in.p[i++], out);
	return i;
}

void mboxrd_finish(struct mboxrd *m, struct buf *out)
{
	release(m, out);
	if (m->begun)
		buf_putc(out, '\n');
	buf_putc(out, '\n');
	*m = (struct mboxrd){ 0 };
}

void mboxrd_from(struct buf *b, struct str sender, int64_t seconds)
{
	char text[64];
	struct buf date = BUF(text);
	struct str rest, word[5] = { { NULL, 0 } };

	buf_putz(b, "From ");
	if (sender.n == 0)
		sender = STR("MAILER-DAEMON");
	for (size_t i = 0; i < sender.n; i++)
		buf_putc(b, sender.p[i] == ' ' ? '-' : sender.p[i]);
	/* "Mon, 23 Nov 2026 21:13:00 +0000" in another order. */
	date_put(&date, seconds, 0);
	rest = buf_str(&date);
	for (unsigned i = 0; i < 5; i++)
		str_word(&rest, &word[i]);
	buf_putc(b, ' ');
	buf_put(b, str_head(word[0], 3));
	buf_putc(b, ' ');
	buf_put(b, word[2]);
	buf_putz(b, word[1].n < 2 ? "  " : " ");
	buf_put(b, word[1]);
	buf_putc(b, ' ');
	buf_put(b, word[4]);
	buf_putc(b, ' ');
	buf_put(b, word[3]);
	buf_putc(b, '\n');
}
