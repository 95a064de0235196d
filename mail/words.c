/*
 * The Q encoding of RFC 2047 4.2, with only what is good within a phrase (5,
 * rule 3) left as it is.
 */
#include "mail/words.h"

#include <string.h>

#include "mail/domain.h"

enum { WORD_MAX = 75 }; /* RFC 2047 2 */

bool words_are_needed(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c < ' ' && c != '\t' && c != '\n') || c > '~')
			return true;
	}
	return false;
}

static bool is_plain(char c)
{
	static const char marks[] = "!*+-/";

	return str_isalpha(c) || str_isdigit(c) ||
	       (c != '\0' && memchr(marks, c, sizeof(marks) - 1) != NULL);
}

/* The octets at the front that belong into one word together. */
static struct str character(struct str s, bool utf8)
{
	struct str rest = s;
	uint32_t code;

	if (!utf8 || utf8_next(&rest, &code) != 0)
		return str_head(s, 1);
	return str_head(s, s.n - rest.n);
}

static void put_q(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ') {
			buf_putc(b, '_');
		} else if (is_plain(s.p[i])) {
			buf_putc(b, s.p[i]);
		} else {
			buf_putc(b, '=');
			buf_hex(b, (unsigned char)s.p[i], 2);
		}
	}
}

/* Upper case, as RFC 2047 4.2 wants it. */
static void to_upper(struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] >= 'a' && b->p[i] <= 'f')
			b->p[i] = (char)(b->p[i] - 'a' + 'A');
}

void words_put(struct buf *b, struct str text)
{
	bool utf8 = utf8_valid(text);
	struct str mark = utf8 ? STR("=?utf-8?Q?") : STR("=?unknown-8bit?Q?");
	size_t n = 0;

	while (text.n > 0) {
		char room[4 * 3];
		struct buf q = BUF(room);
		struct str c = character(text, utf8);

		text = str_skip(text, c.n);
		if (c.p[0] == '\n')
			continue; /* a fold is its blank */
		put_q(&q, c);
		if (c.n > 1 || !is_plain(c.p[0]))
			to_upper(&q);
		if (n > 0 && n + q.n + 2 > WORD_MAX) {
			buf_putz(b, "?=\n ");
			n = 0;
		}
		if (n == 0) {
			buf_put(b, mark);
			n = mark.n;
		}
		buf_put(b, buf_str(&q));
		n += q.n;
	}
	if (n > 0)
		buf_putz(b, "?=");
}

/* Atoms with single blanks between them. */
static bool is_atoms(struct str s)
{
	static const char marks[] = "!#$%&'*+-/=?^_`{|}~";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ' ' && i > 0 && i + 1 < s.n && s.p[i - 1] != ' ')
			continue;
		if (!str_isalpha(c) && !str_isdigit(c) &&
		    (c == '\0' || memchr(marks, c, sizeof(marks) - 1) == NULL))
			return false;
	}
	return s.n > 0;
}

void words_put_name(struct buf *b, struct str name)
{
	if (words_are_needed(name)) {
		words_put(b, name);
		return;
	}
	if (is_atoms(name)) {
		buf_put(b, name);
		return;
	}
	buf_putc(b, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, name.p[i]);
	}
	buf_putc(b, '"');
}
