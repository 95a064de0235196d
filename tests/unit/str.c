/* Slices and buffers: every function at its edges. */
#include "tests/unit/tap.h"

#include <errno.h>

static void compare(void)
{
	static const struct row {
		struct str a, b;
		bool eq, eqcase, starts, startscase;
	} rows[] = {
		{ S(""), S(""), true, true, true, true },
		{ S("a"), S(""), false, false, true, true },
		{ S(""), S("a"), false, false, false, false },
		{ S("abc"), S("abc"), true, true, true, true },
		{ S("abc"), S("ABC"), false, true, false, true },
		{ S("abcd"), S("aBc"), false, false, false, true },
		{ S("a\0b"), S("a\0b"), true, true, true, true },
		{ S("a\0b"), S("a\0c"), false, false, false, false },
		{ S("@"), S("`"), false, false, false, false },
		{ S("["), S("{"), false, false, false, false },
		{ S("\xc4"), S("\xe4"), false, false, false, false },
	};

	for (size_t i = 0; i < TAP_N(rows); i++) {
		const struct row *r = &rows[i];

		tap_ok(str_eq(r->a, r->b) == r->eq, "eq, row %zu", i);
		tap_ok(
		    str_eqcase(r->a, r->b) == r->eqcase, "eqcase, row %zu", i);
		tap_ok(
		    str_starts(r->a, r->b) == r->starts, "starts, row %zu", i);
		tap_ok(str_startscase(r->a, r->b) == r->startscase,
		    "startscase, row %zu", i);
	}
	tap_ok(str_eq(str_of(NULL), STR("")), "NULL is empty");
	tap_same(str_of("xyz"), STR("xyz"), "str_of takes the length");
}

static void slices(void)
{
	struct str none = str_of(NULL);

	tap_ok(str_find(STR("abcb"), 'b') == 1, "find the first");
	tap_ok(str_find(STR("abc"), 'x') == 3, "find none");
	tap_ok(str_find(STR("a\xff"), '\xff') == 1, "find an octet above 127");
	tap_ok(str_find(STR("ab\0"), '\0') == 2, "find NUL");
	tap_ok(str_find(none, 'x') == 0, "find in nothing");
	tap_same(str_skip(STR("abc"), 0), STR("abc"), "skip 0");
	tap_same(str_skip(STR("abc"), 2), STR("c"), "skip 2");
	tap_same(str_skip(STR("abc"), 3), STR(""), "skip all");
	tap_same(str_skip(STR("abc"), SIZE_MAX), STR(""), "skip too much");
	tap_same(str_skip(none, 5), STR(""), "skip in nothing");
	tap_same(str_head(STR("abc"), 2), STR("ab"), "head 2");
	tap_same(str_head(STR("abc"), 9), STR("abc"), "head of more than all");
	tap_same(str_trim(STR(" \t a b\t ")), STR("a b"), "trim");
	tap_same(str_trim(STR(" \t ")), STR(""), "trim blanks away");
	tap_same(str_trim(STR("\na\n")), STR("\na\n"), "line ends stay");
}

/* The parts of `text`, each in brackets. */
static void parts(struct str text, char sep, struct buf *b)
{
	struct str part;

	while (sep != 0 ? str_cut(&text, sep, &part) : str_word(&text, &part)) {
		buf_putc(b, '[');
		buf_put(b, part);
		buf_putc(b, ']');
	}
	tap_ok(part.n == 0, "the last part is empty");
}

static void cutting(void)
{
	static const struct row {
		struct str text;
		char sep; /* 0: words */
		struct str want;
	} rows[] = {
		{ S(""), ',', S("") },
		{ S("a"), ',', S("[a]") },
		{ S("a,b"), ',', S("[a][b]") },
		{ S(",a,,b"), ',', S("[][a][][b]") },
		{ S("a,"), ',', S("[a]") },
		{ S(","), ',', S("[]") },
		{ S(""), 0, S("") },
		{ S(" \t"), 0, S("") },
		{ S(" a\t bc "), 0, S("[a][bc]") },
		{ S("a\nb"), 0, S("[a\nb]") },
	};
	char room[100];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct buf b = BUF(room);

		parts(rows[i].text, rows[i].sep, &b);
		tap_same(buf_str(&b), rows[i].want, "parts, row %zu", i);
	}
}

static void numbers(void)
{
	static const struct row {
		struct str text;
		int rc;
		uint64_t value;
	} rows[] = {
		{ S("0"), 0, 0 },
		{ S("0009"), 0, 9 },
		{ S("18446744073709551614"), 0, UINT64_MAX - 1 },
		{ S("18446744073709551615"), 0, UINT64_MAX },
		{ S("18446744073709551616"), -ERANGE, 0 },
		{ S("18446744073709551620"), -ERANGE, 0 },
		{ S("99999999999999999999999"), -ERANGE, 0 },
		{ S("99999999999999999999999x"), -EINVAL, 0 },
		{ S(""), -EINVAL, 0 },
		{ S("-1"), -EINVAL, 0 },
		{ S("+1"), -EINVAL, 0 },
		{ S(" 1"), -EINVAL, 0 },
		{ S("1 "), -EINVAL, 0 },
		{ S("1\0"), -EINVAL, 0 },
		{ S("0x1"), -EINVAL, 0 },
	};

	for (size_t i = 0; i < TAP_N(rows); i++) {
		uint64_t v = 4711;
		int rc = str_u64(rows[i].text, &v);

		tap_ok(rc == rows[i].rc, "number, row %zu", i);
		tap_ok(v == (rc == 0 ? rows[i].value : 4711),
		    "its value, row %zu", i);
	}
}

static void classes(void)
{
	unsigned nalpha = 0, ndigit = 0, nchanged = 0;

	for (int c = -128; c < 128; c++) {
		nalpha += str_isalpha((char)c);
		ndigit += str_isdigit((char)c);
		nchanged += str_lower((char)c) != (char)c;
	}
	tap_ok(nalpha == 52, "52 letters");
	tap_ok(ndigit == 10, "10 digits");
	tap_ok(nchanged == 26, "26 letters become small");
	tap_ok(str_lower('Z') == 'z' && str_isalpha('a') && str_isdigit('9'),
	    "examples of each");
}

static void limits(void)
{
	char room[4];
	struct buf b = BUF(room);

	buf_put(&b, STR("abc"));
	tap_ok(!b.full, "3 of 4");
	buf_putc(&b, 'd');
	tap_ok(!b.full && b.n == 4, "4 of 4");
	buf_put(&b, STR(""));
	tap_ok(!b.full, "nothing always fits");
	buf_putc(&b, 'e');
	tap_ok(b.full, "5 of 4 do not fit");
	tap_same(buf_str(&b), STR("abcd"), "and change nothing");
	buf_clear(&b);
	tap_ok(!b.full && b.n == 0, "clear makes room");
	buf_putz(&b, "abcde");
	tap_ok(b.full && b.n == 0, "dropped whole");
	buf_putz(&b, "a");
	tap_ok(b.full && b.n == 0, "full is sticky");
	buf_clear(&b);
	buf_lower(&b, STR("ABCDE"));
	tap_ok(b.full && b.n == 0, "lower drops whole");
	buf_lower(&b, STR("A"));
	tap_ok(b.n == 0, "lower into a full one");
	buf_clear(&b);
	buf_lower(&b, STR("AbC1"));
	tap_same(buf_str(&b), STR("abc1"), "lower");
}

static void figures(void)
{
	char room[300];
	struct buf b = BUF(room);

	buf_u64(&b, 0);
	buf_putc(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_putc(&b, ' ');
	buf_u64w(&b, 7, 3);
	buf_putc(&b, ' ');
	buf_u64w(&b, 12345, 3);
	buf_putc(&b, ' ');
	buf_hex(&b, 0xbeef, 4);
	buf_putc(&b, ' ');
	buf_hex(&b, 0xbeef, 2);
	buf_putc(&b, ' ');
	buf_hex(&b, 1, 99);
	tap_same(buf_str(&b),
	    STR("0 18446744073709551615 007 12345 beef ef 0000000000000001"),
	    "numbers as text");
	buf_clear(&b);
	buf_u64w(&b, 0, 0);
	tap_same(buf_str(&b), STR(""), "zero in no digits");
	buf_clear(&b);
	buf_u64w(&b, 1, 999);
	tap_ok(b.n == 64, "a width is bounded");
}

static void escapes(void)
{
	static const struct row {
		struct str text;
		size_t max;
		struct str want;
	} rows[] = {
		{ S(""), 10, S("") },
		{ S("plain text~"), 99, S("plain text~") },
		{ S("a\"b\\c\n\x7f\xff\0"), 99,
		    S("a\\x22b\\x5cc\\x0a\\x7f\\xff\\x00") },
		{ S("abcdef"), 6, S("abcdef") },
		{ S("abcdef"), 5, S("ab...") },
		{ S("abcdef"), 3, S("...") },
		{ S("abcdef"), 2, S("..") },
		{ S("abcdef"), 0, S("") },
		{ S("a\n\n"), 9, S("a\\x0a\\x0a") },
		{ S("a\n\n"), 8, S("a\\x0a...") },
		{ S("a\n\n"), 7, S("a...") },
		{ S("\n"), 4, S("\\x0a") },
		{ S("\n"), 3, S("...") },
	};
	char room[100];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct buf b = BUF(room);

		buf_escape(&b, rows[i].text, rows[i].max);
		tap_same(buf_str(&b), rows[i].want, "escape, row %zu", i);
	}
}

int main(void)
{
	compare();
	slices();
	cutting();
	numbers();
	classes();
	limits();
	figures();
	escapes();
	return tap_done();
}
