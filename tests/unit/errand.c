/* Errands as records, and what the end of a command means. */
#include "tests/unit/tap.h"

#include "mail/errand.h"

/* clang-format off */
static const struct str bad[] = {
	S(""), S("C"), S("D"), S("X"), S("Da\0"), S("Da\0b\0c\0"),
	S("Da\0b\0c\0d"), S("D\0b\0c\0d\0"), S("Da\nb\0b\0c\0d\0"),
	S("Da\0b\rc\0\0d\0"), S("Da\0b\0\x7f\0d\0"),
	S("Ca\0b\0c\0d\0"), S("Ca\0b\0c\0d\000" "0\0"),
	S("Ca\0b\0c\0d\000" "0\0x\0"), S("Ca\0b\0c\0d\000-1\0" "5\0"),
	S("Ca\0b\0c\0d\000" "0\0" "18446744073709551615\0"),
	S("Ca\0b\0c\0d\000" "0\0" "99999999999999999999999\0"),
	S("Ca\0b\0c\0d\000" "0\0" "5\0x"),
};

static const struct {
	unsigned status;
	struct str said;
	enum verdict_kind kind;
	struct str code, text;
} ends[] = {
	{ 0, S("hello\n"), VERDICT_DONE, S("2.0.0"),
	    S("given to the user's command") },
	{ 75, S("\n"), VERDICT_LATER, S("4.3.0"),
	    S("the user's command asks to try later") },
	{ 75, S(" full \nmore\n"), VERDICT_LATER, S("4.3.0"), S("full") },
	{ 77, S("no\x1b[2J\r\xc3\xa4"), VERDICT_NEVER, S("5.7.0"),
	    S("no?[2J???") },
	{ 67, S(""), VERDICT_NEVER, S("5.1.1"),
	    S("the user's command: no such user") },
	{ 65, S("x\0y"), VERDICT_NEVER, S("5.6.0"), S("x?y") },
	{ 1, S("oops"), VERDICT_LATER, S("4.3.0"), S("oops") },
	{ 64, S(""), VERDICT_LATER, S("4.3.0"),
	    S("the user's command failed") },
	{ 256, S(""), VERDICT_LATER, S("4.3.0"),
	    S("the user's command failed") },
	{ 4000000000u, S(""), VERDICT_LATER, S("4.3.0"),
	    S("the user's command failed") },
};
/* clang-format on */

static void records(void)
{
	char text[500];
	struct buf b = BUF(text);
	struct errand e = { .user = STR("alice"),
		.command = STR("cat\t-x"),
		.recipient = STR("alice@here.example"),
		.file = true,
		.start = 3,
		.size = 1234567890123 },
		      f;
	size_t wrong = 0;

	errand_put(&b, &e);
	tap_ok(errand_get(buf_str(&b), &f) == 0 && f.file && f.start == 3 &&
		   f.size == e.size && str_eq(f.user, e.user) &&
		   str_eq(f.command, e.command) && f.sender.n == 0 &&
		   str_eq(f.recipient, e.recipient),
	    "in a file");
	for (size_t i = 0; i < b.n; i++)
		wrong += errand_get(str_head(buf_str(&b), i), &f) == 0;
	tap_ok(wrong == 0, "not a part of it");
	e.file = false;
	errand_put(&b, &e);
	buf_put(&b, str_at("x\0\n", 3));
	tap_ok(errand_get(buf_str(&b), &f) == 0 && !f.file && f.size == 3 &&
		   str_eq(f.content, str_at("x\0\n", 3)),
	    "with its content");
	for (size_t i = 0; i < TAP_N(bad); i++) {
		char *exact = tap_exact(bad[i]);

		tap_ok(errand_get(str_at(exact, bad[i].n), &f) == REQUEST_BAD,
		    "bad %zu", i);
		free(exact);
	}
}

static void verdicts(void)
{
	char text[REQUEST_TEXT_MAX + 1], long_text[400];
	struct buf room = BUF(text);
	struct verdict v;

	for (size_t i = 0; i < TAP_N(ends); i++) {
		v = errand_verdict(ends[i].status, ends[i].said, &room);
		tap_ok(v.kind == ends[i].kind, "end %zu", i);
		tap_same(v.status, ends[i].code, "its code");
		tap_same(v.text, ends[i].text, "its text");
	}
	memset(long_text, 'x', sizeof(long_text));
	v = errand_verdict(77, str_at(long_text, sizeof(long_text)), &room);
	tap_ok(v.text.n == REQUEST_TEXT_MAX, "not more text than there may be");
}

int main(void)
{
	records();
	verdicts();
	return tap_done();
}
