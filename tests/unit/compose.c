/* Headers made complete, in pieces of every size. */
#include "tests/unit/tap.h"

#include "mail/compose.h"

#define D "Date: now\n"
#define F "From: me@o.example\n"
#define M "Message-ID: <1@o>\n"
#define ALL D F M

/* clang-format off */
static const struct {
	const char *name;
	struct str in, out, lists; /* lists: what was heard of recipients */
} rows[] = {
	{ "empty", S(""), S(ALL), S("") },
	{ "blank line", S("\n"), S(ALL "\n"), S("") },
	{ "body only", S("hello\n"), S(ALL "\nhello\n"), S("") },
	{ "body only, no end", S("hello"), S(ALL "\nhello"), S("") },
	{ "begins with a blank", S(" a: b\n"), S(ALL "\n a: b\n"), S("") },
	{ "blank line, body", S("\na: b\n"), S(ALL "\na: b\n"), S("") },
	{ "header and body", S("a: b\n\nc: d\n"), S(ALL "a: b\n\nc: d\n"), S("") },
	{ "header only", S("a: b\n"), S(ALL "a: b\n"), S("") },
	{ "header only, no end", S("a: b"), S(ALL "a: b\n"), S("") },
	{ "no blank line", S("a: b\nhello\nc: d\n"), S(ALL "a: b\n\nhello\nc: d\n"), S("") },
	{ "no name", S("a: b\n: d\n"), S(ALL "a: b\n\n: d\n"), S("") },
	{ "blank before the colon", S("a : b\n\n"), S(ALL "a : b\n\n"), S("") },
	{ "blank in a name", S("a b: c\n"), S(ALL "\na b: c\n"), S("") },
	{ "8-bit name", S("\xc3\xbc: c\n"), S(ALL "\n\xc3\xbc: c\n"), S("") },
	{ "folded", S("a: b\n c\n\td\ne: f\n\n"), S(ALL "a: b\n c\n\td\ne: f\n\n"), S("") },
	{ "all there", S(D F M "\nx"), S(D F M "\nx"), S("") },
	{ "other case", S("dAtE: x\nFROM: a@b\nmessage-id:x\n\n"), S("dAtE: x\nFROM: a@b\nmessage-id:x\n\n"), S("") },
	{ "an empty From", S("From: \nDate: x\n\n"), S(F M "Date: x\n\n"), S("") },
	{ "no fields in the body", S("\n" D F M), S(ALL "\n" D F M), S("") },
	/* carriage returns */
	{ "CR in a header", S("a: b\rBcc: x\n\n"), S(ALL "a: b Bcc: x\n\n"), S("") },
	{ "CR in a body", S("\na\rb\r\rc\n"), S(ALL "\na\nb\n\nc\n"), S("") },
	{ "CR in a body without a header", S("a\rb\n"), S(ALL "\na b\n"), S("") },
	/* what is left out */
	{ "Bcc", S("a: b\nBcc: x@y,\n z\nc: d\n\n"), S(ALL "a: b\nc: d\n\n"), S("[ x@y,\n z]") },
	{ "Bcc is the last", S("Bcc: x"), S(ALL), S("[ x]") },
	{ "Return-Path", S("Return-Path: <x@y>\n\n"), S(ALL "\n"), S("") },
	{ "Resent-Bcc", S("Resent-Bcc: x\n\n"), S(ALL "\n"), S("(x)") },
	/* recipients */
	{ "lists", S("To: a\ncc: b\nBCC: c\nX-To: d\n\nTo: e\n"), S(ALL "To: a@o.example\ncc: b@o.example\nX-To: d\n\nTo: e\n"), S("[ a][ b][ c]") },
	{ "resent", S("Resent-To: a\nResent-Cc: b\nTo: c\n\n"), S(ALL "Resent-To: a@o.example\nResent-Cc: b@o.example\nTo: c@o.example\n\n"), S("(a)(b)[ c]") },
	/* addresses */
	{ "qualified", S("To: a, B <c>, \"d e\" (x),\n f@g\n\n"), S(ALL "To: a@o.example, B <c@o.example>, \"d e\"@o.example (x),\n f@g\n\n"), S("[ a, B <c>, \"d e\" (x),\n f@g]") },
	{ "From", S("From: root (Cron)\n\n"), S(D M "From: root@o.example (Cron)\n\n"), S("") },
	{ "Sender and others", S("Sender: a\nReply-To: b\nResent-From: c\n\n"), S(ALL "Sender: a@o.example\nReply-To: b@o.example\nResent-From: c@o.example\n\n"), S("") },
	{ "group", S("To: undisclosed-recipients:;\n\n"), S(ALL "To: undisclosed-recipients:;\n\n"), S("[ undisclosed-recipients:;]") },
	{ "null", S("From: <>\n\n"), S(D M "From: <>\n\n"), S("") },
	{ "not an address", S("To: a b, c\n\n"), S(ALL "To: a b, c@o.example\n\n"), S("[ a b, c]") },
	/* not ASCII */
	{ "Subject", S("Subject: gr\xc3\xbc\n\n"), S(ALL "Subject: =?utf-8?Q?gr=C3=BC?=\n\n"), S("") },
	{ "Subject, folded", S("Subject: a\n \xc3\xbc\n\n"), S(ALL "Subject: =?utf-8?Q?a_=C3=BC?=\n\n"), S("") },
	{ "Latin-1", S("Subject: \xfc\n\n"), S(ALL "Subject: =?unknown-8bit?Q?=FC?=\n\n"), S("") },
	{ "name", S("Cc: J\xc3\xbc <a@b>, d\n\n"), S(ALL "Cc: =?utf-8?Q?J=C3=BC?= <a@b>, d@o.example\n\n"), S("[ J\xc3\xbc <a@b>, d]") },
	{ "quoted name", S("From: x, \"J, \\\"\xc3\xbc\" <a>\n\n"), S(D M "From: x@o.example, =?utf-8?Q?J=2C_=22=C3=BC?= <a@o.example>\n\n"), S("") },
	{ "domain", S("From: X\xc3\xbc <a@\xc3\xbc.de>\n\n"), S(D M "From: =?utf-8?Q?X=C3=BC?= <a@xn--tda.de>\n\n"), S("") },
	{ "local part", S("From: X\xc3\xbc <\xc3\xbc@b.de>\n\n"), S(D M "From: X\xc3\xbc <\xc3\xbc@b.de>\n\n"), S("") },
	{ "in a comment", S("From: a (\xc3\xbc)\n\n"), S(D M "From: a@o.example (\xc3\xbc)\n\n"), S("") },
	{ "structured", S("Content-Type: x; name=\xc3\xbc\n\n"), S(ALL "Content-Type: x; name=\xc3\xbc\n\n"), S("") },
	/* signed */
	{ "DKIM", S("To: a\nDKIM-Signature: x\nBcc: c\nSubject: \xc3\xbc\n\n"), S("To: a\nDKIM-Signature: x\nSubject: \xc3\xbc\n\n"), S("[ a][ c]") },
};
/* clang-format on */

struct heard {
	struct buf b;
	char text[256];
};

static void hear(void *arg, struct str value, bool resent)
{
	struct heard *h = arg;

	buf_putc(&h->b, resent ? '(' : '[');
	buf_put(&h->b, resent ? str_trim(value) : value);
	buf_putc(&h->b, resent ? ')' : ']');
}

static void put(void *arg, struct str s)
{
	buf_put(arg, s);
}

static struct compose c;

static void feed(struct str in, size_t step)
{
	while (in.n > 0) {
		char *copy = tap_exact(str_head(in, step));

		compose_feed(&c, str_at(copy, str_head(in, step).n));
		free(copy);
		in = str_skip(in, step);
	}
	compose_finish(&c);
}

static void run(struct str in, size_t step, struct buf *out, struct heard *h)
{
	struct compose_setup set = { STR("o.example"), STR(F), STR(D), STR(M),
		hear, put, h };

	h->b = BUF(h->text);
	compose_look(&c, &set);
	feed(in, step);
	set.arg = out;
	compose_put(&c, &set);
	feed(in, step);
}

static void row(size_t i)
{
	static char text[4096];
	struct heard h;

	for (size_t step = 1; step <= rows[i].in.n + 1; step++) {
		struct buf out = BUF(text);

		run(rows[i].in, step, &out, &h);
		if (!str_eq(buf_str(&out), rows[i].out) ||
		    !str_eq(buf_str(&h.b), rows[i].lists)) {
			tap_ok(
			    false, "%s, in pieces of %zu", rows[i].name, step);
			tap_show("got ", buf_str(&out));
			tap_show("want", rows[i].out);
			tap_show("heard", buf_str(&h.b));
			return;
		}
	}
	tap_ok(true, "%s", rows[i].name);
}

/* A field longer than what is kept of one. */
static void beyond(const char *name, const char *more, bool stays, bool marks)
{
	static char in[COMPOSE_FIELD_MAX + 4096], text[2 * COMPOSE_FIELD_MAX];
	struct buf b = BUF(in), out = BUF(text);
	struct heard h;
	size_t whole;

	buf_putz(&b, name);
	while (b.n < COMPOSE_FIELD_MAX + 1000)
		buf_putz(&b, more);
	buf_putz(&b, "\n");
	whole = b.n;
	buf_putz(&b, "e: f\n\nbody\n");
	run(buf_str(&b), 1000, &out, &h);
	tap_ok(str_starts(buf_str(&out), STR(ALL)), "%s: completed", name);
	tap_ok(out.n == sizeof(ALL) - 1 + b.n - (stays ? 0 : whole), "%s: %s",
	    name, stays ? "stays" : "goes");
	tap_ok(
	    str_eq(str_skip(buf_str(&out), out.n - 11), STR("e: f\n\nbody\n")),
	    "%s: what follows is there", name);
	tap_ok(
	    ((c.facts & COMPOSE_TOO_LONG) != 0) == marks, "%s: is told", name);
}

int main(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++)
		row(i);
	beyond("x: ", "y", true, false);
	beyond("x: ", "y\n ", true, false);
	beyond("To: ", "a@b, ", true, true);
	beyond("Bcc: ", "a@b,\n ", false, true);
	return tap_done();
}
