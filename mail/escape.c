/*
 * Text of strangers, made harmless: RFC 6533 3 for what lies beyond ASCII.
 */
#include "mail/escape.h"

#include "mail/addr.h"

/* Beyond ASCII only what neither breaks a line nor turns it around. */
static bool is_shown(uint32_t code)
{
	return code >= 0xa0 && code != 0x2028 && code != 0x2029 &&
	       !(code >= 0x202a && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069);
}

static void put_code(struct buf *b, uint32_t code)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned shift = 20;

	while (shift > 4 && code >> shift == 0)
		shift -= 4;
	buf_putz(b, "\\x{");
	for (;; shift -= 4) {
		buf_putc(b, digits[code >> shift & 15]);
		if (shift == 0)
			break;
	}
	buf_putc(b, '}');
}

/* One character off the front of *s. */
static void put_char(struct buf *b, struct str *s, bool utf8)
{
	struct str from = *s;
	uint32_t code;

	if (utf8_next(s, &code) != 0) {
		*s = str_skip(*s, 1);
		code = 0;
	}
	if (code >= 0x20 && code <= 0x7e)
		buf_putc(b, (char)code);
	else if (!is_shown(code))
		buf_putc(b, '?');
	else if (utf8)
		buf_put(b, str_head(from, from.n - s->n));
	else
		put_code(b, code);
}

void escape_put(struct buf *b, struct str s, bool utf8)
{
	size_t start = b->n;

	while (s.n > 0 && !b->full) {
		if (b->n - start >= ESCAPE_MAX) {
			buf_putz(b, "...");
			return;
		}
		put_char(b, &s, utf8);
	}
}

static unsigned nibble(char c)
{
	return str_isdigit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

void escape_xtext(struct buf *b, struct str s, bool utf8)
{
	char room[ESCAPE_ROOM];
	struct buf text = BUF(room);
	bool valid = xtext_valid(s);

	for (size_t i = 0; valid && i < s.n && text.n < sizeof(room); i++) {
		char c = s.p[i];

		if (c == '+') {
			c = (char)(nibble(s.p[i + 1]) << 4 |
				   nibble(s.p[i + 2]));
			i += 2;
		}
		buf_putc(&text, c);
	}
	escape_put(b, valid ? buf_str(&text) : s, utf8);
}

void escape_address(
    struct buf *b, struct str address, struct str hostname, bool utf8)
{
	escape_put(b, address, utf8);
	if (address.n > 0 && str_find(address, '@') == address.n) {
		buf_putc(b, '@');
		escape_token(b, hostname, DOMAIN_MAX);
	}
}

void escape_token(struct buf *b, struct str s, size_t max)
{
	s = str_head(s, max);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool good = str_isalpha(c) || str_isdigit(c) ||
			    ((c == '.' || c == '-') && i > 0);

		buf_putc(b, good ? c : '-');
	}
}
