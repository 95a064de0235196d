/*
 * A name that is one has one A-label form: taking it again, or taking what
 * is shown to a reader, leads back to it.  Punycode that was encoded decodes
 * to what it was, and what decodes has one decoding.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/domain.h"

static void shape(struct str ascii)
{
	struct str label;

	HOLDS(ascii.n > 0 && ascii.n <= DOMAIN_MAX);
	while (str_cut(&ascii, '.', &label)) {
		HOLDS(label.n > 0 && label.n <= LABEL_MAX);
		HOLDS(label.p[0] != '-' && label.p[label.n - 1] != '-');
		for (size_t i = 0; i < label.n; i++)
			HOLDS(str_isdigit(label.p[i]) ||
			      str_isalpha(label.p[i]) || label.p[i] == '-' ||
			      label.p[i] == '_');
	}
}

static void name(struct str s)
{
	char first[DOMAIN_MAX], second[DOMAIN_MAX], shown[4 * DOMAIN_MAX];
	struct buf a = BUF(first), b = BUF(second), u = BUF(shown);

	if (domain_ascii(s, &a) != 0) {
		HOLDS(a.n == 0 && !a.full);
		HOLDS(domain_unicode(s, &u) == DOMAIN_BAD && u.n == 0);
		return;
	}
	HOLDS(!a.full && utf8_valid(s));
	shape(buf_str(&a));
	HOLDS(domain_ascii(buf_str(&a), &b) == 0);
	HOLDS(str_eq(buf_str(&a), buf_str(&b)));
	HOLDS(domain_unicode(buf_str(&a), &u) == 0 && !u.full);
	HOLDS(utf8_valid(buf_str(&u)));
	buf_clear(&b);
	HOLDS(domain_ascii(buf_str(&u), &b) == 0);
	HOLDS(str_eq(buf_str(&a), buf_str(&b)));
}

static void encoded(struct str s)
{
	char code[400], back[4 * LABEL_MAX];
	struct buf c = BUF(code), b = BUF(back);

	if (punycode_encode(s, &c) != 0) {
		HOLDS(c.n == 0 && !c.full);
		return;
	}
	if (c.n > LABEL_MAX)
		return;
	HOLDS(punycode_decode(buf_str(&c), &b) == 0);
	HOLDS(str_eq(buf_str(&b), s));
}

static void decoded(struct str s)
{
	char text[4 * LABEL_MAX], code[400];
	struct buf t = BUF(text), c = BUF(code);

	if (punycode_decode(s, &t) != 0) {
		HOLDS(t.n == 0 && !t.full);
		return;
	}
	HOLDS(utf8_valid(buf_str(&t)));
	HOLDS(punycode_encode(buf_str(&t), &c) == 0);
	/* A delimiter in front of nothing is the only other form there is. */
	if (!str_starts(s, STR("-")))
		HOLDS(str_eqcase(buf_str(&c), s));
}

/* Strictness by the other way round: encoded again it is the same octets. */
static void utf8(struct str s)
{
	while (s.n > 0) {
		struct str before = s;
		uint32_t v;
		size_t n;

		if (utf8_next(&s, &v) != 0) {
			HOLDS(s.n == before.n);
			return;
		}
		n = before.n - s.n;
		HOLDS(n == (v < 0x80         ? 1u
			       : v < 0x800   ? 2u
			       : v < 0x10000 ? 3u
					     : 4u));
		HOLDS(v <= 0x10ffff && (v < 0xd800 || v > 0xdfff));
		HOLDS(((unsigned char)before.p[n - 1] & 0x3f) == (v & 0x3f));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);

	name(s);
	encoded(s);
	decoded(s);
	utf8(s);
	return 0;
}
