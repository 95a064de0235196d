/*
 * Base64: three octets are four letters.
 */
#include "mail/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned octet(struct str s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : 0;
}

void base64_put(struct buf *b, struct str s)
{
	for (; s.n > 0; s = str_skip(s, 3)) {
		unsigned v = octet(s, 0) << 16 | octet(s, 1) << 8 | octet(s, 2);

		buf_putc(b, alphabet[v >> 18]);
		buf_putc(b, alphabet[v >> 12 & 63]);
		buf_putc(b, s.n > 1 ? alphabet[v >> 6 & 63] : '=');
		buf_putc(b, s.n > 2 ? alphabet[v & 63] : '=');
	}
}

/* Four letters, of which 4 - npad count.  0 or BASE64_BAD. */
static int get_group(struct buf *b, const char *p, unsigned npad)
{
	unsigned v = 0;

	for (unsigned i = 0; i < 4; i++) {
		size_t digit = 0;

		if (i < 4 - npad)
			digit = str_find(
			    str_at(alphabet, sizeof(alphabet) - 1), p[i]);
		if (digit > 63)
			return BASE64_BAD;
		v = v << 6 | (unsigned)digit;
	}
	/* Bits that nobody wrote. */
	if ((npad == 1 && (v & 0xff) != 0) || (npad == 2 && (v & 0xffff) != 0))
		return BASE64_BAD;
	buf_putc(b, (char)(v >> 16));
	if (npad < 2)
		buf_putc(b, (char)(v >> 8 & 0xff));
	if (npad < 1)
		buf_putc(b, (char)(v & 0xff));
	return 0;
}

int base64_get(struct buf *b, struct str text)
{
	struct buf mark = *b;

	if (text.n % 4 != 0)
		return BASE64_BAD;
	for (; text.n > 0; text = str_skip(text, 4)) {
		unsigned npad = 0;

		if (text.n == 4 && text.p[3] == '=')
			npad = text.p[2] == '=' ? 2 : 1;
		if (get_group(b, text.p, npad) != 0 || b->full) {
			*b = mark;
			return BASE64_BAD;
		}
	}
	return 0;
}
