/*
 * Punycode, RFC 3492: one label, without its xn--.  A label has at most
 * LABEL_MAX octets, so at most as many code points, and the arithmetic is
 * checked as section 6.4 asks.
 */
#include "mail/domain.h"

#include <string.h>

/* RFC 3492 5. */
enum {
	BASE = 36,
	TMIN = 1,
	TMAX = 26,
	SKEW = 38,
	DAMP = 700,
	INITIAL_BIAS = 72,
	INITIAL_N = 128
};

struct points {
	uint32_t v[LABEL_MAX];
	uint32_t n;
};

/* RFC 3492 6.1. */
static uint32_t adapt(uint32_t delta, uint32_t npoints, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / npoints;
	while (delta > (BASE - TMIN) * TMAX / 2) {
		delta /= BASE - TMIN;
		k += BASE;
	}
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
	if (k <= bias + TMIN)
		return TMIN;
	return k >= bias + TMAX ? TMAX : k - bias;
}

static char digit_char(uint32_t digit)
{
	return (char)(digit < 26 ? 'a' + digit : '0' + (digit - 26));
}

/* BASE when c is no digit. */
static uint32_t digit_value(char c)
{
	c = str_lower(c);
	if (str_isdigit(c))
		return (uint32_t)(c - '0') + 26;
	return str_isalpha(c) ? (uint32_t)(c - 'a') : BASE;
}

/* A number in the variable-length form of RFC 3492 3.3. */
static void put_number(struct buf *out, uint32_t q, uint32_t bias)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = threshold(k, bias);

		if (q < t)
			break;
		buf_putc(out, digit_char(t + (q - t) % (BASE - t)));
		q = (q - t) / (BASE - t);
	}
	buf_putc(out, digit_char(q));
}

static int get_number(struct str *in, uint32_t bias, uint32_t *number)
{
	uint64_t v = 0, w = 1;

	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = threshold(k, bias), digit;

		if (in->n == 0)
			return DOMAIN_BAD;
		digit = digit_value(in->p[0]);
		*in = str_skip(*in, 1);
		/* No overflow: a digit that is not the last is not 0, so w was
		 * not above v before. */
		v += digit * w;
		if (digit == BASE || v > UINT32_MAX)
			return DOMAIN_BAD;
		if (digit < t)
			break;
		w *= BASE - t;
	}
	*number = (uint32_t)v;
	return 0;
}

static int read_points(struct str utf8, struct points *p)
{
	for (p->n = 0; utf8.n > 0; p->n++)
		if (p->n == LABEL_MAX || utf8_next(&utf8, &p->v[p->n]) != 0)
			return DOMAIN_BAD;
	return 0;
}

/* The smallest code point not below n. */
static uint32_t next_point(const struct points *p, uint32_t n)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < p->n; i++)
		if (p->v[i] >= n && p->v[i] < least)
			least = p->v[i];
	return least;
}

/* The code points above ASCII, RFC 3492 6.3; `nbasic` are out already. */
static void encode_points(
    const struct points *p, uint32_t nbasic, struct buf *out)
{
	uint32_t bias = INITIAL_BIAS, n = INITIAL_N, delta = 0;
	uint32_t done = nbasic;

	/* No overflow: LABEL_MAX + 1 times U+10FFFF fits 32 bits. */
	while (done < p->n) {
		uint32_t m = next_point(p, n);

		delta += (m - n) * (done + 1);
		n = m;
		for (uint32_t i = 0; i < p->n; i++) {
			if (p->v[i] < n)
				delta++;
			if (p->v[i] != n)
				continue;
			put_number(out, delta, bias);
			bias = adapt(delta, done + 1, done == nbasic);
			delta = 0;
			done++;
		}
		delta++;
		n++;
	}
}

int punycode_encode(struct str utf8, struct buf *out)
{
	struct buf before = *out;
	struct points p;
	uint32_t nbasic = 0;

	if (read_points(utf8, &p) != 0)
		return DOMAIN_BAD;
	for (uint32_t i = 0; i < p.n; i++)
		if (p.v[i] < INITIAL_N) {
			buf_putc(out, (char)p.v[i]);
			nbasic++;
		}
	if (nbasic > 0)
		buf_putc(out, '-');
	encode_points(&p, nbasic, out);
	if (out->full) {
		*out = before;
		return DOMAIN_BAD;
	}
	return 0;
}

static int insert(struct points *p, uint32_t at, uint32_t code)
{
	if (p->n == LABEL_MAX || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return DOMAIN_BAD;
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(p->v[0]));
	p->v[at] = code;
	p->n++;
	return 0;
}

/* RFC 3492 6.2, after the basic code points. */
static int decode_points(struct str in, struct points *p)
{
	uint32_t bias = INITIAL_BIAS, n = INITIAL_N, i = 0;
	bool first = true;

	while (in.n > 0) {
		uint32_t delta, count = p->n + 1;

		if (get_number(&in, bias, &delta) != 0 ||
		    delta > UINT32_MAX - i)
			return DOMAIN_BAD;
		i += delta;
		bias = adapt(delta, count, first);
		first = false;
		if (i / count > UINT32_MAX - n)
			return DOMAIN_BAD;
		n += i / count;
		i %= count;
		if (insert(p, i, n) != 0)
			return DOMAIN_BAD;
		i++;
	}
	return 0;
}

static void put_utf8(struct buf *b, uint32_t v)
{
	if (v < 0x80) {
		buf_putc(b, (char)v);
		return;
	}
	if (v < 0x800)
		buf_putc(b, (char)(0xc0 | v >> 6));
	else if (v < 0x10000)
		buf_putc(b, (char)(0xe0 | v >> 12));
	else {
		buf_putc(b, (char)(0xf0 | v >> 18));
		buf_putc(b, (char)(0x80 | (v >> 12 & 0x3f)));
	}
	if (v >= 0x800)
		buf_putc(b, (char)(0x80 | (v >> 6 & 0x3f)));
	buf_putc(b, (char)(0x80 | (v & 0x3f)));
}

int punycode_decode(struct str ascii, struct buf *utf8)
{
	struct buf before = *utf8;
	struct points p = { .n = 0 };
	size_t nbasic = ascii.n;

	if (ascii.n > LABEL_MAX)
		return DOMAIN_BAD;
	while (nbasic > 0 && ascii.p[nbasic - 1] != '-')
		nbasic--;
	/* The last hyphen is the delimiter and no code point. */
	for (size_t i = 0; i + 1 < nbasic; i++) {
		if (((unsigned char)ascii.p[i] & 0x80) != 0)
			return DOMAIN_BAD;
		p.v[p.n++] = (unsigned char)ascii.p[i];
	}
	if (decode_points(str_skip(ascii, nbasic), &p) != 0)
		return DOMAIN_BAD;
	for (uint32_t i = 0; i < p.n; i++)
		put_utf8(utf8, p.v[i]);
	if (utf8->full) {
		*utf8 = before;
		return DOMAIN_BAD;
	}
	return 0;
}
