/* Encoded words, and names in front of addresses. */
#include "tests/unit/tap.h"

#include "mail/words.h"

#define U10 "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
#define E5 "=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC"

/* clang-format off */
static const struct {
	struct str in, out;
} words[] = {
	{ S(""), S("") },
	{ S("gr\xc3\xbc\xc3\x9f" "e"), S("=?utf-8?Q?gr=C3=BC=C3=9Fe?=") },
	{ S("a b_c=?"), S("=?utf-8?Q?a_b=5Fc=3D=3F?=") },
	{ S("a\n \xc3\xbc"), S("=?utf-8?Q?a_=C3=BC?=") },
	{ S("\xfc"), S("=?unknown-8bit?Q?=FC?=") },
	{ S("(,)\"\x01"), S("=?utf-8?Q?=28=2C=29=22=01?=") },
	/* 75 octets at most, whole characters in each */
	{ S(U10 U10 "\xc3\xbc"), S("=?utf-8?Q?" E5 E5 "?=\n =?utf-8?Q?=C3=BC?=") },
	{ S(U10 U10 "a\xe2\x82\xac"), S("=?utf-8?Q?" E5 E5 "a?=\n =?utf-8?Q?=E2=82=AC?=") },
}, names[] = {
	{ S("Al"), S("Al") },
	{ S("Al B"), S("Al B") },
	{ S("CronDaemon"), S("CronDaemon") },
	{ S("Al B. C"), S("\"Al B. C\"") },
	{ S("a@b"), S("\"a@b\"") },
	{ S("a  b"), S("\"a  b\"") },
	{ S(" a"), S("\" a\"") },
	{ S("a\"b\\c"), S("\"a\\\"b\\\\c\"") },
	{ S("J\xc3\xbcrgen"), S("=?utf-8?Q?J=C3=BCrgen?=") },
	{ S("<x@y>,"), S("\"<x@y>,\"") },
};
/* clang-format on */

int main(void)
{
	char text[512];

	for (size_t i = 0; i < TAP_N(words); i++) {
		struct buf b = BUF(text);

		words_put(&b, words[i].in);
		tap_same(buf_str(&b), words[i].out, "words %zu", i);
	}
	for (size_t i = 0; i < TAP_N(names); i++) {
		struct buf b = BUF(text);

		words_put_name(&b, names[i].in);
		tap_same(buf_str(&b), names[i].out, "name %zu", i);
	}
	tap_ok(!words_are_needed(STR("a\t\n ~")), "text");
	tap_ok(words_are_needed(STR("a\x7f")), "DEL");
	tap_ok(words_are_needed(STR("a\0")), "NUL");
	tap_ok(words_are_needed(STR("a\x80")), "0x80");
	return tap_done();
}
