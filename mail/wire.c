/*
 * Line ends and dots of content that is sent.
 */
#include "mail/wire.h"

/* A part of a line without its end. */
static void put_text(struct str text, struct buf *out)
{
	while (text.n > 0) {
		size_t cr = str_find(text, '\r');

		buf_put(out, str_head(text, cr));
		if (cr < text.n)
			buf_putc(out, ' ');
		text = str_skip(text, cr + 1);
	}
}

void wire_put(struct wire *w, struct str content, struct buf *out)
{
	while (content.n > 0) {
		size_t end = str_find(content, '\n');

		if (!w->within && content.p[0] == '.')
			buf_putc(out, '.');
		put_text(str_head(content, end), out);
		w->within = end == content.n;
		if (!w->within)
			buf_put(out, STR("\r\n"));
		content = str_skip(content, end + 1);
	}
}

void wire_end(struct wire *w, struct buf *out)
{
	if (w->within)
		buf_put(out, STR("\r\n"));
	w->within = false;
	buf_put(out, STR(".\r\n"));
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

void wire_add(struct wire_sum *s, struct str content)
{
	s->octets += content.n;
	if (!s->beyond_ascii)
		s->beyond_ascii = !is_ascii(content);
	while (content.n > 0) {
		size_t end = str_find(content, '\n');

		s->line += end;
		if (s->line > s->longest)
			s->longest = s->line;
		if (end < content.n) {
			s->octets++;
			s->line = 0;
		}
		content = str_skip(content, end + 1);
	}
}
