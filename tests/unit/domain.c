/*
 * Domain names: the A-label form, UTF-8, punycode with the samples of RFC 3492
 * 7.1, and every length limit.
 */
#include "tests/unit/tap.h"

#include "mail/domain.h"
#include "mail/idna.h"

#include <errno.h>

/* clang-format off */
static const struct {
	struct str in, ascii, unicode;
} good[] = {
	{ S("a"), S("a"), S("a") },
	{ S("Example.COM"), S("example.com"), S("example.com") },
	{ S("a-b.c--d.e"), S("a-b.c--d.e"), S("a-b.c--d.e") },
	{ S("_dmarc.a_b.example"), S("_dmarc.a_b.example"),
	    S("_dmarc.a_b.example") },
	{ S("1.2.3.4"), S("1.2.3.4"), S("1.2.3.4") },
	{ S("r3---sn-x.example"), S("r3---sn-x.example"),
	    S("r3---sn-x.example") },
	{ S("b\xc3\xbc" "cher.de"), S("xn--bcher-kva.de"),
	    S("b\xc3\xbc" "cher.de") },
	{ S("B\xc3\xbc" "CHER.De"), S("xn--bcher-kva.de"),
	    S("b\xc3\xbc" "cher.de") },
	{ S("XN--Bcher-KVA.de"), S("xn--bcher-kva.de"),
	    S("b\xc3\xbc" "cher.de") },
	{ S("fa\xc3\x9f.de"), S("xn--fa-hia.de"), S("fa\xc3\x9f.de") },
	{ S("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"),
	    S("xn--r8jz45g.xn--zckzah"),
	    S("\xe4\xbe\x8b\xe3\x81\x88."
	      "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88") },
	{ S("\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84"),
	    S("xn--80a1acny.xn--p1ai"),
	    S("\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84") },
	/* A plane above the first: U+20021. */
	{ S("\xf0\xa0\x80\xa1.test"), S("xn--h60i.test"),
	    S("\xf0\xa0\x80\xa1.test") },
	/* Decodes to a symbol: a name, but not shown. */
	{ S("xn--n3h.net"), S("xn--n3h.net"), S("xn--n3h.net") },
	{ S("a.xn--n3h.xn--bcher-kva.de"), S("a.xn--n3h.xn--bcher-kva.de"),
	    S("a.xn--n3h.xn--bcher-kva.de") },
	{ S("xn--a.de"), S("xn--a.de"), S("xn--a.de") },
};

static const struct str bad[] = {
	S(""), S("."), S("a."), S(".a"), S("a..b"), S("-a.b"), S("a-.b"),
	S("a.-"), S("a b"), S(" a"), S("a\0"), S("a\0.b"), S("a@b"), S("a,b"),
	S("a!b"), S("a%b"), S("[a]"), S("a:b"), S("a/b"), S("a\nb"), S("a\x7f"),
	/* xn-- that does not decode, or to what has another form. */
	S("xn--.de"), S("xn--a-.de"), S("xn--abc.d-"), S("xn--abc-.de"),
	S("xn--99999999.de"), S("xn--\xc3\xbc.de"), S("xn--bcher-kv.de"),
	S("xn--a_b.de"), S("xn--ab-j1t.xn--"), S("XN--.DE"),
	S("xn---tda.de"),
	/* What no U-label may hold: capitals, other dots, controls, symbols,
	 * wide forms, invisible ones, private use, no character at all. */
	S("B\xc3\x9c" "CHER.de"), S("a\xe3\x80\x82" "de"), S("\xef\xbc\x8e.de"),
	S("a\xc2\x85.de"), S("\xc2\xa0.de"), S("\xe2\x98\x83.net"),
	S("\xef\xbd\x81.de"), S("a\xe2\x80\x8b" "b.de"), S("a\xc2\xad" "b.de"),
	S("\xee\x80\x80.de"), S("\xef\xbf\xbf.de"), S("\xe2\x80\xae" "a.de"),
	S("\xc4\xb0.de"), S("\xd0\x90.de"), S("\xf0\x9f\x98\x80.de"),
	S("\xc3\xbc_.de"), S("-\xc3\xbc.de"), S("\xc3\xbc-.de"),
	S("ab--\xc3\xbc.de"), S("\xc3\xbc .de"), S("\xc3\xbc\0.de"),
	/* No UTF-8. */
	S("\xfc.de"), S("\xc3.de"), S("\xc0\xaf.de"), S("\xed\xa0\x80.de"),
};

static const struct {
	struct str in;
	int rc;
	uint32_t code;
} utf8[] = {
	{ S(""), -EILSEQ, 0 },
	{ S("\0"), 0, 0 },
	{ S("\x7f"), 0, 0x7f },
	{ S("\x80"), -EILSEQ, 0 },
	{ S("\xbf"), -EILSEQ, 0 },
	{ S("\xc0\x80"), -EILSEQ, 0 },
	{ S("\xc1\xbf"), -EILSEQ, 0 },
	{ S("\xc2"), -EILSEQ, 0 },
	{ S("\xc2\x7f"), -EILSEQ, 0 },
	{ S("\xc2\x80"), 0, 0x80 },
	{ S("\xdf\xbf"), 0, 0x7ff },
	{ S("\xdf\xc0"), -EILSEQ, 0 },
	{ S("\xe0\x9f\xbf"), -EILSEQ, 0 },
	{ S("\xe0\xa0\x80"), 0, 0x800 },
	{ S("\xe0\xa0"), -EILSEQ, 0 },
	{ S("\xe0\xa0\x7f"), -EILSEQ, 0 },
	{ S("\xe1\x80\xc0"), -EILSEQ, 0 },
	{ S("\xed\x9f\xbf"), 0, 0xd7ff },
	{ S("\xed\xa0\x80"), -EILSEQ, 0 },
	{ S("\xed\xbf\xbf"), -EILSEQ, 0 },
	{ S("\xee\x80\x80"), 0, 0xe000 },
	{ S("\xef\xbf\xbf"), 0, 0xffff },
	{ S("\xf0\x8f\xbf\xbf"), -EILSEQ, 0 },
	{ S("\xf0\x90\x80\x80"), 0, 0x10000 },
	{ S("\xf0\x90\x80"), -EILSEQ, 0 },
	{ S("\xf3\xbf\xbf\xbf"), 0, 0xfffff },
	{ S("\xf4\x8f\xbf\xbf"), 0, 0x10ffff },
	{ S("\xf4\x90\x80\x80"), -EILSEQ, 0 },
	{ S("\xf5\x80\x80\x80"), -EILSEQ, 0 },
	{ S("\xff"), -EILSEQ, 0 },
};

/* RFC 3492 7.1, in the letters that the form without case flags has. */
static const struct {
	struct str utf8, ascii;
} samples[] = {
	{ S(""), S("") },
	{ S("abc"), S("abc-") },
	{ S("a-b"), S("a-b-") },
	{ S("\xc3\xbc"), S("tda") },
	{ S("b\xc3\xbc" "cher"), S("bcher-kva") },
	/* A: Arabic */
	{ S("\xd9\x84\xd9\x8a\xd9\x87\xd9\x85\xd8\xa7\xd8\xa8\xd8\xaa\xd9\x83"
	    "\xd9\x84\xd9\x85\xd9\x88\xd8\xb4\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a"
	    "\xd8\x9f"), S("egbpdaj6bu4bxfgehfvwxn") },
	/* B: Chinese */
	{ S("\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88"
	    "\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87"),
	    S("ihqwcrb4cv8a8dqg056pqjye") },
	/* D: Czech */
	{ S("Pro\xc4\x8dprost\xc4\x9bnemluv\xc3\xad\xc4\x8d" "esky"),
	    S("Proprostnemluvesky-uyb24dma41a") },
	/* J: Spanish */
	{ S("Porqu\xc3\xa9nopuedensimplementehablarenEspa\xc3\xb1ol"),
	    S("PorqunopuedensimplementehablarenEspaol-fmd56a") },
	/* L: 3nen B gumi kinpachi sensei */
	{ S("3\xe5\xb9\xb4" "B\xe7\xb5\x84\xe9\x87\x91\xe5\x85\xab"
	    "\xe5\x85\x88\xe7\x94\x9f"), S("3B-ww4c5e180e575a65lsy2b") },
	/* P: Maji de koi suru 5 byou mae */
	{ S("Maji\xe3\x81\xa7Koi\xe3\x81\x99\xe3\x82\x8b" "5\xe7\xa7\x92"
	    "\xe5\x89\x8d"), S("MajiKoi5-783gue6qz075azm5e") },
	/* Q: pafii de runba */
	{ S("\xe3\x83\x91\xe3\x83\x95\xe3\x82\xa3\xe3\x83\xbc"
	    "de\xe3\x83\xab\xe3\x83\xb3\xe3\x83\x90"), S("de-jg4avhby1noc0d") },
	/* R: sono supiido de */
	{ S("\xe3\x81\x9d\xe3\x81\xae\xe3\x82\xb9\xe3\x83\x94\xe3\x83\xbc"
	    "\xe3\x83\x89\xe3\x81\xa7"), S("d9juau41awczczp") },
	/* S: nothing but ASCII, hyphens at both ends */
	{ S("-> $1.00 <-"), S("-> $1.00 <--") },
	{ S("\xf4\x8f\xbf\xbf"), S("dn32g") },
};

static const struct str bad_puny[] = {
	S("a!"), S("tda\xc3\xbc"), S("\xc3\xbc-tda"), S("99999999"), S("9"),
	S("zzzzzzzzzzz"), S("99999999999999999999999999"), S("0"),
	/* Would wrap around to a code point. */
	S("10959716a"), S("22809716a"), S("xw902716a"), S("k0902716a"),
	S("l0902716a"),
	/* The first and the last surrogate, and beyond the last code point. */
	S("ib9b"), S("zy0c"), S("en32g"),
};
/* clang-format on */

static void names(void)
{
	char room[700];

	for (size_t i = 0; i < TAP_N(good); i++) {
		char *exact = tap_exact(good[i].in);
		struct str in = str_at(exact, good[i].in.n);
		struct buf b = BUF(room);

		tap_ok(domain_ascii(in, &b) == 0, "name %zu", i);
		tap_same(buf_str(&b), good[i].ascii, "its A-labels, %zu", i);
		buf_clear(&b);
		tap_ok(domain_unicode(in, &b) == 0, "for a reader, %zu", i);
		tap_same(buf_str(&b), good[i].unicode, "its U-labels, %zu", i);
		free(exact);
	}
	for (size_t i = 0; i < TAP_N(bad); i++) {
		char *exact = tap_exact(bad[i]);
		struct str in = str_at(exact, bad[i].n);
		struct buf b = BUF(room);

		buf_putz(&b, "kept");
		if (!tap_ok(domain_ascii(in, &b) == DOMAIN_BAD &&
				domain_unicode(in, &b) == DOMAIN_BAD,
			"no name, %zu", i))
			tap_show("in", in);
		tap_same(buf_str(&b), STR("kept"), "the buffer after %zu", i);
		free(exact);
	}
}

/* A name of n octets in labels of at most 61. */
static struct str long_name(size_t n)
{
	static char text[DOMAIN_MAX + 8];

	for (size_t i = 0; i < n; i++)
		text[i] = i % 61 == 60 && i + 1 < n ? '.' : 'a';
	return str_at(text, n);
}

static int length_of_label(size_t n, struct buf *b)
{
	buf_clear(b);
	return domain_ascii(tap_run('a', n), b);
}

/* A label of one U+00FC and n letters: xn-- n letters - and three digits. */
static int length_of_ulabel(size_t n, struct buf *b)
{
	char text[100] = "\xc3\xbc";

	memset(text + 2, 'a', n);
	buf_clear(b);
	return domain_ascii(str_at(text, n + 2), b);
}

static void lengths(void)
{
	char room[DOMAIN_MAX + 10];
	struct buf b = BUF(room), small = { room, 0, 10, false };

	tap_ok(length_of_label(62, &b) == 0, "a label of 62");
	tap_ok(length_of_label(63, &b) == 0, "a label of 63");
	tap_ok(length_of_label(64, &b) == DOMAIN_BAD, "a label of 64");
	for (size_t n = 40; n < 70; n++)
		tap_ok((length_of_ulabel(n, &b) == 0 && b.n <= 63) ||
			   (length_of_ulabel(n, &b) == DOMAIN_BAD && n > 55),
		    "a U-label with %zu letters", n);
	tap_ok(length_of_ulabel(55, &b) == 0 && b.n == 63, "that has 63");
	tap_ok(length_of_ulabel(56, &b) == DOMAIN_BAD, "that has 64");
	buf_clear(&b);
	tap_ok(domain_ascii(long_name(254), &b) == 0, "a name of 254");
	buf_clear(&b);
	tap_ok(domain_ascii(long_name(255), &b) == 0 && b.n == 255,
	    "a name of 255");
	buf_clear(&b);
	tap_ok(domain_ascii(long_name(257), &b) == DOMAIN_BAD && b.n == 0,
	    "a name of 257");
	tap_ok(domain_ascii(long_name(256), &b) == DOMAIN_BAD && b.n == 0,
	    "a name of 256");
	tap_ok(domain_ascii(STR("abcdefghij"), &small) == 0, "10 of 10");
	buf_clear(&small);
	tap_ok(domain_ascii(STR("abcdefghi.k"), &small) == DOMAIN_BAD &&
		   small.n == 0 && !small.full,
	    "11 of 10 leave nothing");
	tap_ok(domain_ascii(STR("abcdefghijk"), &small) == DOMAIN_BAD &&
		   small.n == 0 && !small.full,
	    "nor in one label");
	tap_ok(domain_ascii(STR("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"),
		   &small) == DOMAIN_BAD &&
		   small.n == 0 && !small.full,
	    "nor in UTF-8");
	buf_clear(&small);
	tap_ok(domain_unicode(STR("xn--4ca"), &small) == 0 && small.n == 2,
	    "a letter for a reader");
	small.n = 9;
	tap_ok(domain_unicode(STR("xn--4ca"), &small) == 0 && small.full,
	    "that finds no room");
	tap_ok(domain_ascii(tap_run('\xc3', 5000), &b) == DOMAIN_BAD,
	    "5000 octets that are no UTF-8");
}

static void strict_utf8(void)
{
	for (size_t i = 0; i < TAP_N(utf8); i++) {
		char *exact = tap_exact(utf8[i].in);
		struct str s = str_at(exact, utf8[i].in.n);
		uint32_t code = 4711;
		int rc = utf8_next(&s, &code);

		tap_ok(rc == utf8[i].rc, "UTF-8, row %zu", i);
		if (rc == 0)
			tap_ok(code == utf8[i].code && s.n == 0,
			    "its code point, row %zu", i);
		else
			tap_ok(code == 4711 && s.n == utf8[i].in.n,
			    "nothing taken, row %zu", i);
		if (utf8[i].in.n > 0)
			tap_ok(utf8_valid(utf8[i].in) == (rc == 0),
			    "valid or not, row %zu", i);
		free(exact);
	}
	tap_ok(utf8_valid(STR("")), "nothing is valid");
	tap_ok(utf8_valid(STR("a\xc3\xbc\xf0\x9f\x98\x80z")), "a mixture");
	tap_ok(!utf8_valid(STR("a\xc3\xbc\xf0\x9f\x98")), "a mixture cut off");
}

static void punycode(void)
{
	char room[300];

	for (size_t i = 0; i < TAP_N(samples); i++) {
		struct buf b = BUF(room);

		tap_ok(punycode_encode(samples[i].utf8, &b) == 0 &&
			   str_eq(buf_str(&b), samples[i].ascii),
		    "encode %zu", i);
		buf_clear(&b);
		tap_ok(punycode_decode(samples[i].ascii, &b) == 0, "decode %zu",
		    i);
		tap_same(buf_str(&b), samples[i].utf8, "to what was, %zu", i);
	}
	for (size_t i = 0; i < TAP_N(bad_puny); i++) {
		char *exact = tap_exact(bad_puny[i]);
		struct buf b = BUF(room);

		tap_ok(punycode_decode(str_at(exact, bad_puny[i].n), &b) ==
			       DOMAIN_BAD &&
			   b.n == 0,
		    "does not decode, %zu", i);
		free(exact);
	}
}

static void punycode_limits(void)
{
	char room[300];
	struct buf b = BUF(room), small = { room, 0, 3, false };

	tap_ok(punycode_encode(tap_run('a', 63), &b) == 0, "63 code points");
	tap_ok(punycode_encode(tap_run('a', 64), &b) == DOMAIN_BAD, "64");
	tap_ok(punycode_encode(STR("\xff"), &b) == DOMAIN_BAD, "no UTF-8");
	tap_ok(punycode_encode(STR("abc"), &small) == DOMAIN_BAD &&
		   small.n == 0 && !small.full,
	    "no room for the code");
	tap_ok(punycode_decode(STR("abcd-"), &small) == DOMAIN_BAD &&
		   small.n == 0 && !small.full,
	    "no room for the text");
	tap_ok(punycode_decode(tap_run('a', 63), &b) == 0,
	    "63 digits that are 63 code points");
	tap_ok(punycode_decode(tap_run('a', 64), &b) == DOMAIN_BAD, "64");
	tap_ok(punycode_decode(tap_run('-', 63), &b) == 0,
	    "62 letters and the hyphen");
	tap_ok(punycode_decode(tap_run('-', 64), &b) == DOMAIN_BAD,
	    "63 letters and the hyphen");
	tap_ok(punycode_decode(STR("BCHER-KVA"), &b) == 0, "in capitals");
}

static void idna(void)
{
	static const struct {
		uint32_t code;
		bool allowed;
	} rows[] = { { 0, false }, { 0x2c, false }, { '-', true },
		{ '_', false }, { '0', true }, { '9', true }, { 'A', false },
		{ 'a', true }, { 'z', true }, { '{', false }, { 0xb7, true },
		{ 0xd7, false }, { 0xdf, true }, { 0xe0, true },
		{ 0xf7, false }, { 0xff, true }, { 0x100, false },
		{ 0x101, true }, { 0x102, false }, { 0x137, true },
		{ 0x138, true }, { 0x300, true }, { 0x340, false },
		{ 0x34f, false }, { 0x3a9, false }, { 0x3c2, true },
		{ 0x3c9, true }, { 0x410, false }, { 0x430, true },
		{ 0x640, false }, { 0x661, true }, { 0x1100, false },
		{ 0x1e9e, false }, { 0x200c, false }, { 0x2028, false },
		{ 0x3007, true }, { 0x30fb, true }, { 0x4e00, true },
		{ 0xac00, true }, { 0xd800, false }, { 0xe000, false },
		{ 0xfb00, false }, { 0xff21, false }, { 0x10400, false },
		{ 0x10428, true }, { 0x20000, true }, { 0xe0061, false },
		{ 0x10ffff, false }, { UINT32_MAX, false } };

	for (size_t i = 0; i < TAP_N(rows); i++)
		tap_ok(idna_allowed(rows[i].code) == rows[i].allowed,
		    "U+%04X in a label", (unsigned)rows[i].code);
}

int main(void)
{
	names();
	lengths();
	strict_utf8();
	punycode();
	punycode_limits();
	idna();
	return tap_done();
}
