/* Strangers' text where a message of ours shows it. */
#include "tests/unit/tap.h"

#include "mail/escape.h"

static char room[4096];

/* clang-format off */
static const struct {
	struct str in, ascii, utf8;
} escapes[] = {
	{ S("a b\"c\\"), S("a b\"c\\"), S("a b\"c\\") },
	{ S("a\r\nBcc: x"), S("a??Bcc: x"), S("a??Bcc: x") },
	{ S("\0\t\x1b\x7f"), S("????"), S("????") },
	{ S("gr\xc3\xbc\xc3\x9f""e"), S("gr\\x{FC}\\x{DF}e"),
	    S("gr\xc3\xbc\xc3\x9f""e") },
	{ S("\xe2\x82\xac"), S("\\x{20AC}"), S("\xe2\x82\xac") },
	{ S("\xf0\x9f\x92\xa9"), S("\\x{1F4A9}"), S("\xf0\x9f\x92\xa9") },
	{ S("\xf4\x8f\xbf\xbf"), S("\\x{10FFFF}"), S("\xf4\x8f\xbf\xbf") },
	{ S("\xc3"), S("?"), S("?") },
	{ S("\xc3("), S("?("), S("?(") },
	{ S("\xed\xa0\x80"), S("???"), S("???") },
	{ S("\xc2\x85"), S("?"), S("?") },         /* next line */
	{ S("\xe2\x80\xa8"), S("?"), S("?") },     /* line separator */
	{ S("\xe2\x80\xae"), S("?"), S("?") },     /* right to left */
};

static const struct {
	struct str in, out;
} xtexts[] = {
	{ S("abc"), S("abc") },
	{ S("a+2Bb+3Dc+20"), S("a+b=c ") },
	{ S("a+2"), S("a+2") },
	{ S("a+0Ab"), S("a+0Ab") },
	{ S("a+2bc"), S("a+2bc") },
	{ S("a=b"), S("a=b") },
	{ S("\x0a"), S("?") },
};

static const struct {
	struct str in, out;
} tokens[] = {
	{ S("mx.here-1.example"), S("mx.here-1.example") },
	{ S("a_b c\n\"d"), S("a-b-c--d") },
	{ S(".a"), S("-a") },
	{ S("\xc3\xbc"), S("--") },
};
/* clang-format on */

static void test_escapes(void)
{
	for (size_t i = 0; i < TAP_N(escapes); i++) {
		struct buf b = BUF(room);

		escape_put(&b, escapes[i].in, false);
		tap_same(buf_str(&b), escapes[i].ascii, "escape %zu", i);
		buf_clear(&b);
		escape_put(&b, escapes[i].in, true);
		tap_same(buf_str(&b), escapes[i].utf8, "escape %zu, utf8", i);
	}
	for (size_t i = 0; i < TAP_N(xtexts); i++) {
		struct buf b = BUF(room);

		escape_xtext(&b, xtexts[i].in, false);
		tap_same(buf_str(&b), xtexts[i].out, "xtext %zu", i);
	}
	for (size_t i = 0; i < TAP_N(tokens); i++) {
		struct buf b = BUF(room);

		escape_token(&b, tokens[i].in, 17);
		tap_same(buf_str(&b), tokens[i].out, "token %zu", i);
	}
	for (size_t n = ESCAPE_MAX - 1; n < ESCAPE_MAX + 2; n++) {
		struct buf b = BUF(room);

		escape_put(&b, tap_run('a', n), false);
		tap_ok(b.n == (n > ESCAPE_MAX ? ESCAPE_MAX + 3 : n),
		    "%zu octets", n);
	}
}

static void test_addresses(void)
{
	struct buf b = BUF(room);

	escape_address(&b, STR("bob"), STR("mx.here.example"), false);
	buf_putc(&b, ' ');
	escape_address(&b, STR("bob@a"), STR("mx.here.example"), false);
	buf_putc(&b, ' ');
	escape_address(&b, STR(""), STR("mx.here.example"), false);
	tap_same(buf_str(&b), STR("bob@mx.here.example bob@a "), "addresses");
}

int main(void)
{
	test_escapes();
	test_addresses();
	return tap_done();
}
