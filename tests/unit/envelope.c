/* Whom a message is from and for. */
#include "tests/unit/tap.h"

#include "mail/envelope.h"

static struct envelope e;

/* clang-format off */
static const struct {
	struct str in, out; /* ! for what is refused */
} senders[] = {
	{ S(""), S("") },
	{ S("<>"), S("") },
	{ S(" <> "), S("") },
	{ S("a@b.c"), S("a@b.c") },
	{ S("root"), S("root@o.example") },
	{ S("<root>"), S("root@o.example") },
	{ S("Al <a@b.c>"), S("a@b.c") },
	{ S("a@B.C"), S("a@b.c") },
	{ S("a b"), S("!") },
	{ S("a@b.c, d@e.f"), S("!") },
	{ S("a@b.c> SIZE=1"), S("!") },
	{ S("@"), S("!") },
	{ S(","), S("!") },
};
/* clang-format on */

static void sender(void)
{
	for (size_t i = 0; i < TAP_N(senders); i++) {
		int rc;

		envelope_init(&e);
		rc = envelope_set_sender(&e, senders[i].in, STR("o.example"));
		tap_same(rc == 0 ? e.sender : STR("!"), senders[i].out,
		    "sender %zu", i);
	}
}

static void recipients(void)
{
	struct str bad = STR("");

	envelope_init(&e);
	tap_ok(
	    envelope_add(&e, STR("a@b.c, d, A@b.c"), &bad) == 0 && e.nrcpt == 3,
	    "three");
	tap_ok(
	    envelope_add(&e, STR("Al <a@B.C>, d"), &bad) == 0 && e.nrcpt == 3,
	    "nobody twice");
	tap_ok(!e.utf8, "ASCII");
	tap_ok(envelope_add(&e, STR("x@\xc3\xbc.de"), &bad) == 0 && !e.utf8 &&
		   str_eq(e.rcpt[3], STR("x@xn--tda.de")),
	    "a domain needs no SMTPUTF8");
	tap_ok(envelope_add(&e, STR("x y, z, p q"), &bad) == ENVELOPE_BAD &&
		   e.nrcpt == 5 && str_eq(bad, STR("x y")),
	    "the first that is none is told, others are taken");
	tap_ok(envelope_add(&e, STR("\xc3\xbc@b.c"), &bad) == 0 && e.utf8,
	    "a local part needs SMTPUTF8");
	envelope_cut(&e, 2);
	tap_ok(e.nrcpt == 2 && envelope_add(&e, STR("z"), &bad) == 0 &&
		   e.nrcpt == 3 && str_eq(e.rcpt[2], STR("z")) &&
		   str_eq(e.rcpt[1], STR("d")),
	    "cut");
}

/* As many as a message may have, of the longest. */
static void many(void)
{
	char text[400];
	unsigned i = 0;
	int rc = 0;

	envelope_init(&e);
	for (; i <= QFILE_RCPT_MAX && rc == 0; i++) {
		struct buf b = BUF(text);

		buf_u64w(&b, i, LOCAL_MAX);
		buf_putc(&b, '@');
		for (unsigned k = 0; k < 3; k++) {
			buf_put(&b, tap_run('d', 60));
			buf_putc(&b, '.');
		}
		buf_putz(&b, "de");
		rc = envelope_add(&e, buf_str(&b), NULL);
	}
	tap_ok(rc == ENVELOPE_FULL && e.nrcpt == QFILE_RCPT_MAX &&
		   i == QFILE_RCPT_MAX + 1 && !e.text.full,
	    "%u recipients", e.nrcpt);
	tap_ok(envelope_add(&e, e.rcpt[7], NULL) == 0,
	    "one who is there already is always welcome");
}

int main(void)
{
	sender();
	recipients();
	many();
	return tap_done();
}
