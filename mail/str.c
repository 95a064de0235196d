/*
 * Slices and buffers: the only arithmetic on pointers that the rest of the
 * code needs.  A slice never grows; a buffer never writes past its array.
 * Nothing here depends on the locale.
 */
#include "mail/str.h"

#include <errno.h>
#include <string.h>

struct str str_of(const char *z)
{
	return (struct str){ z, z == NULL ? 0 : strlen(z) };
}

struct str str_at(const char *p, size_t n)
{
	return (struct str){ p, n };
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eqcase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_lower(a.p[i]) != str_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str head)
{
	return s.n >= head.n && str_eq(str_head(s, head.n), head);
}

bool str_startscase(struct str s, struct str head)
{
	return s.n >= head.n && str_eqcase(str_head(s, head.n), head);
}

size_t str_find(struct str s, char c)
{
	const char *at;

	if (s.n == 0)
		return 0;
	at = memchr(s.p, (unsigned char)c, s.n);
	return at == NULL ? s.n : (size_t)(at - s.p);
}

struct str str_skip(struct str s, size_t n)
{
	if (n >= s.n)
		n = s.n;
	if (n == 0)
		return s;
	return (struct str){ s.p + n, s.n - n };
}

struct str str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_cut(struct str *s, char sep, struct str *head)
{
	size_t n = str_find(*s, sep);

	*head = str_head(*s, n);
	if (s->n == 0)
		return false;
	*s = str_skip(*s, n < s->n ? n + 1 : n);
	return true;
}

bool str_word(struct str *s, struct str *word)
{
	size_t n = 0;

	while (s->n > 0 && blank(s->p[0]))
		*s = str_skip(*s, 1);
	while (n < s->n && !blank(s->p[n]))
		n++;
	*word = str_head(*s, n);
	*s = str_skip(*s, n);
	return n > 0;
}

int str_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit;

		if (!str_isdigit(s.p[i]))
			return -EINVAL;
		digit = (uint64_t)(s.p[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			over = true;
		else
			v = v * 10 + digit;
	}
	if (over)
		return -ERANGE;
	*out = v;
	return 0;
}

char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_isdigit(char c)
{
	return c >= '0' && c <= '9';
}

bool str_isalpha(char c)
{
	return str_lower(c) >= 'a' && str_lower(c) <= 'z';
}

void buf_put(struct buf *b, struct str s)
{
	if (b->full || s.n > b->cap - b->n) {
		b->full = true;
		return;
	}
	if (s.n == 0)
		return;
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, str_at(&c, 1));
}

void buf_putz(struct buf *b, const char *z)
{
	buf_put(b, str_of(z));
}

void buf_u64(struct buf *b, uint64_t v)
{
	buf_u64w(b, v, 1);
}

void buf_u64w(struct buf *b, uint64_t v, unsigned width)
{
	char digits[64];
	size_t at = sizeof(digits);

	if (width > sizeof(digits))
		width = sizeof(digits);
	while (v > 0 || sizeof(digits) - at < width) {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	}
	buf_put(b, str_at(digits + at, sizeof(digits) - at));
}

static char hex(unsigned nibble)
{
	return "0123456789abcdef"[nibble & 15];
}

void buf_hex(struct buf *b, uint64_t v, unsigned digits)
{
	char text[16];

	if (digits > sizeof(text))
		digits = sizeof(text);
	for (unsigned i = digits; i > 0; i--) {
		text[i - 1] = hex((unsigned)(v & 15));
		v >>= 4;
	}
	buf_put(b, str_at(text, digits));
}

void buf_lower(struct buf *b, struct str s)
{
	if (b->full || s.n > b->cap - b->n) {
		b->full = true;
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		b->p[b->n++] = str_lower(s.p[i]);
}

/* One octet as it may be shown; how many of `room` octets it takes. */
static size_t escape(char c, char room[4])
{
	unsigned char u = (unsigned char)c;

	if (u >= 0x20 && u <= 0x7e && c != '"' && c != '\\') {
		room[0] = c;
		return 1;
	}
	room[0] = '\\';
	room[1] = 'x';
	room[2] = hex(u >> 4);
	room[3] = hex(u);
	return 4;
}

void buf_escape(struct buf *b, struct str s, size_t max)
{
	static const struct str dots = { "...", 3 };
	size_t fit = 0, all = 0, total = 0;
	char room[4];

	/* How many octets fit, with the dots (fit) and without (all)? */
	while (all < s.n) {
		total += escape(s.p[all], room);
		if (total > max)
			break;
		all++;
		if (max >= dots.n && total <= max - dots.n)
			fit = all;
	}
	if (all == s.n)
		fit = all;
	for (size_t i = 0; i < fit; i++)
		buf_put(b, str_at(room, escape(s.p[i], room)));
	if (fit < s.n)
		buf_put(b, str_head(dots, max));
}

struct str buf_str(const struct buf *b)
{
	return str_at(b->p, b->n);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->full = false;
}
