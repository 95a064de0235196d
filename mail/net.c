/*
 * Internet addresses as text and back, RFC 4291 2.2, RFC 5952 and RFC 5321
 * 4.1.3.  IPv4 lives in ::ffff:0:0/96.  Leading zeros in IPv4 are refused,
 * since readers disagree about octal; zone identifiers are not known.
 */
#include "mail/net.h"

#include <errno.h>
#include <string.h>

enum {
	GROUPS = 8,  /* of 16 bits in an IPv6 address */
	V4_BITS = 96 /* of the prefix before a mapped IPv4 address */
};

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

struct netaddr netaddr_of4(const unsigned char b[4])
{
	struct netaddr a;

	memcpy(a.b, mapped, sizeof(mapped));
	memcpy(a.b + sizeof(mapped), b, 4);
	return a;
}

bool netaddr_is4(const struct netaddr *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

bool netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

struct netaddr netaddr_source(const struct netaddr *a)
{
	struct netaddr s = *a;

	if (!netaddr_is4(a))
		memset(s.b + 8, 0, 8);
	return s;
}

static int parse4(struct str s, unsigned char b[4])
{
	struct str part;
	uint64_t v;

	for (int i = 0; i < 4; i++) {
		size_t n = str_find(s, '.');

		if ((n == s.n) != (i == 3))
			return -EINVAL;
		part = str_head(s, n);
		s = str_skip(s, n + 1);
		if (part.n > 3 || (part.n > 1 && part.p[0] == '0'))
			return -EINVAL;
		if (str_u64(part, &v) != 0 || v > 255)
			return -EINVAL;
		b[i] = (unsigned char)v;
	}
	return 0;
}

static int hex_value(char c)
{
	c = str_lower(c);
	if (str_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hexadecimal digits. */
static int parse_group(struct str s, unsigned char b[2])
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 4)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_value(s.p[i]);

		if (digit < 0)
			return -EINVAL;
		v = v << 4 | (unsigned)digit;
	}
	b[0] = (unsigned char)(v >> 8);
	b[1] = (unsigned char)(v & 0xff);
	return 0;
}

/*
 * Groups joined by single colons into b, which has room for `max` of them;
 * IPv4 may stand for the last two when `v4`.  The count, or -EINVAL.
 */
static int parse_groups(struct str s, bool v4, int max, unsigned char *b)
{
	int n = 0;

	while (s.n > 0) {
		size_t len = str_find(s, ':');
		struct str part = str_head(s, len);
		bool last = len == s.n;

		s = str_skip(s, len + 1);
		if (!last && s.n == 0)
			return -EINVAL;
		if (last && v4 && str_find(part, '.') < part.n) {
			if (max - n < 2 || parse4(part, b + 2 * n) != 0)
				return -EINVAL;
			return n + 2;
		}
		if (n == max || parse_group(part, b + 2 * n) != 0)
			return -EINVAL;
		n++;
	}
	return n;
}

/* Where "::" begins, or s.n. */
static size_t find_gap(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == ':' && s.p[i + 1] == ':')
			return i;
	return s.n;
}

static int parse6(struct str s, struct netaddr *a)
{
	unsigned char tail[2 * GROUPS];
	size_t gap = find_gap(s);
	int nhead, ntail;

	memset(a->b, 0, sizeof(a->b));
	if (gap == s.n)
		return parse_groups(s, true, GROUPS, a->b) == GROUPS ? 0
								     : -EINVAL;
	nhead = parse_groups(str_head(s, gap), false, GROUPS - 1, a->b);
	if (nhead < 0)
		return nhead;
	ntail =
	    parse_groups(str_skip(s, gap + 2), true, GROUPS - 1 - nhead, tail);
	if (ntail < 0)
		return ntail;
	if (ntail > 0)
		memcpy(a->b + sizeof(a->b) - 2 * (size_t)ntail, tail,
		    2 * (size_t)ntail);
	return 0;
}

int netaddr_parse(struct str s, struct netaddr *a)
{
	unsigned char b[4];
	struct netaddr v6;

	if (str_find(s, ':') == s.n) {
		if (parse4(s, b) != 0)
			return -EINVAL;
		*a = netaddr_of4(b);
		return 0;
	}
	if (parse6(s, &v6) != 0)
		return -EINVAL;
	*a = v6;
	return 0;
}

/* `a` with all bits after the first `bits` zero. */
static struct netaddr masked(const struct netaddr *a, unsigned bits)
{
	struct netaddr m = *a;

	for (unsigned i = 0; i < sizeof(m.b); i++) {
		if (bits >= 8)
			bits -= 8;
		else {
			m.b[i] &= (unsigned char)(0xff00 >> bits);
			bits = 0;
		}
	}
	return m;
}

int net_parse(struct str s, struct net *n)
{
	size_t slash = str_find(s, '/');
	struct str text = str_head(s, slash);
	bool is6 = str_find(text, ':') < text.n;
	uint64_t bits = is6 ? 128 : 32;
	struct netaddr a, m;

	if (netaddr_parse(text, &a) != 0)
		return -EINVAL;
	if (slash < s.n) {
		uint64_t max = bits;

		if (str_u64(str_skip(s, slash + 1), &bits) != 0 || bits > max)
			return -EINVAL;
	}
	if (!is6)
		bits += V4_BITS;
	m = masked(&a, (unsigned)bits);
	if (!netaddr_eq(&m, &a))
		return -EINVAL;
	n->a = a;
	n->bits = (unsigned)bits;
	return 0;
}

bool net_has(const struct net *n, const struct netaddr *a)
{
	struct netaddr m = masked(a, n->bits);

	return netaddr_eq(&m, &n->a);
}

static void put4(struct buf *b, const unsigned char *v)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			buf_putc(b, '.');
		buf_u64(b, v[i]);
	}
}

static unsigned group(const struct netaddr *a, int i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first longest run of two zero groups or more; its length. */
static int zero_run(const struct netaddr *a, int *first)
{
	int best = 1;

	*first = GROUPS;
	for (int i = 0; i < GROUPS; i++) {
		int n = 0;

		while (i + n < GROUPS && group(a, i + n) == 0)
			n++;
		if (n > best) {
			best = n;
			*first = i;
		}
	}
	return best;
}

static void put_group(struct buf *b, unsigned v)
{
	unsigned digits = 1;

	while (digits < 4 && v >> (4 * digits) != 0)
		digits++;
	buf_hex(b, v, digits);
}

void netaddr_put(struct buf *b, const struct netaddr *a)
{
	int first, n;

	if (netaddr_is4(a)) {
		put4(b, a->b + sizeof(mapped));
		return;
	}
	n = zero_run(a, &first);
	for (int i = 0; i < GROUPS; i++) {
		if (i == first) {
			buf_putz(b, "::");
			i += n - 1;
			continue;
		}
		if (i > 0 && i != first + n)
			buf_putc(b, ':');
		put_group(b, group(a, i));
	}
}

void netaddr_literal(struct buf *b, const struct netaddr *a)
{
	buf_putz(b, netaddr_is4(a) ? "[" : "[IPv6:");
	netaddr_put(b, a);
	buf_putc(b, ']');
}
