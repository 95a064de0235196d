/* The header as it streams by: what counts, where it ends, in any pieces. */
#include "tests/unit/tap.h"

#include "mail/header.h"

enum {
	LOOP = 1,
	DATE = 2,
	MSGID = 4,
	FROM = 8,
	OVER = 16 /* before header_finish */
};

/* clang-format off */
static const struct {
	struct str text;
	unsigned nreceived, ndelivered, flags;
} rows[] = {
	{ S(""), 0, 0, 0 },
	{ S("\n"), 0, 0, OVER },
	{ S("Received: x\n"), 1, 0, 0 },
	{ S("Received: x\n\n"), 1, 0, OVER },
	{ S("Received: x\n\nReceived: y\n"), 1, 0, OVER },
	{ S("RECEIVED:\nreceived :\nReceived\t:x\n\n"), 3, 0, OVER },
	{ S("Received:x"), 1, 0, 0 },
	{ S("Received"), 0, 0, 0 },
	{ S("Received x: y\n\n"), 0, 0, OVER },
	{ S("X-Received: x\nReceived-SPF: x\n\n"), 0, 0, OVER },
	{ S("Received: a\n b\n\tReceived: c\nReceived: d\n\n"), 2, 0, OVER },
	{ S("Subject: a\n Received: b\n\n"), 0, 0, OVER },
	{ S("A: \n \n\t\nReceived: x\n\n"), 1, 0, OVER },
	/* Where it ends without a blank line. */
	{ S("no field\nReceived: x\n"), 0, 0, OVER },
	{ S("A: b\nno field\nReceived: x\n"), 0, 0, OVER },
	{ S(": x\nReceived: x\n"), 0, 0, OVER },
	{ S(" Received: x\nReceived: x\n"), 0, 0, OVER },
	{ S("\tx\nReceived: x\n"), 0, 0, OVER },
	{ S("Rec\0ived: x\nReceived: x\n"), 0, 0, OVER },
	{ S("R\xc3\xa9: x\nReceived: x\n"), 0, 0, OVER },
	{ S("From someone Thu Jan  1\nReceived: x\n"), 0, 0, OVER },
	{ S("From someone\n Thu Jan  1 00:00:00 1970\nA: x\n"), 0, 0, OVER },
	/* What a submission lacks or has. */
	{ S("Date: x\n\n"), 0, 0, OVER | DATE },
	{ S("message-id: x\n\n"), 0, 0, OVER | MSGID },
	{ S("FROM: x\n\n"), 0, 0, OVER | FROM },
	{ S("Date: a\nMessage-Id: b\nFrom: c\n"), 0, 0, DATE | MSGID | FROM },
	{ S("Resent-Date: a\nFromage: b\nDat: c\n\n"), 0, 0, OVER },
	/* Delivered-To. */
	{ S("Delivered-To: bob@example.net\n\n"), 0, 1, OVER },
	{ S("Delivered-To: alice@example.net\n\n"), 0, 1, OVER | LOOP },
	{ S("delivered-to:alice@example.net\n"), 0, 1, LOOP },
	{ S("Delivered-To:\n \talice@example.net \n \n\n"), 0, 1, OVER | LOOP },
	{ S("Delivered-To: xalice@example.net\n\n"), 0, 1, OVER },
	{ S("Delivered-To: bob@example.net\nDelivered-To: alice@example.net"),
	    0, 2, LOOP },
	{ S("\nDelivered-To: alice@example.net\n"), 0, 0, OVER },
	{ S("X: Delivered-To: alice@example.net\n\n"), 0, 0, OVER },
	{ S("Delivered-To:\n\n"), 0, 1, OVER },
};
/* clang-format on */

static bool alice(void *self, struct str value)
{
	(void)self;
	return str_eq(value, STR("alice@example.net"));
}

static unsigned flags_of(const struct header *h)
{
	return (h->loop ? LOOP : 0u) | (h->date ? DATE : 0u) |
	       (h->message_id ? MSGID : 0u) | (h->from ? FROM : 0u);
}

static void feed(struct header *h, struct str piece)
{
	char *exact = tap_exact(piece);

	header_feed(h, str_at(exact, piece.n));
	free(exact);
}

static bool good(size_t i, size_t cut)
{
	struct str text = rows[i].text;
	struct header h;
	bool over;

	header_init(&h, alice, NULL);
	feed(&h, str_head(text, cut));
	feed(&h, str_of(NULL));
	feed(&h, str_skip(text, cut));
	over = h.over;
	header_finish(&h);
	return h.nreceived == rows[i].nreceived &&
	       h.ndelivered == rows[i].ndelivered && h.over &&
	       (flags_of(&h) | (over ? OVER : 0u)) == rows[i].flags;
}

static void fields(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		size_t wrong = 0;

		if (!tap_ok(good(i, rows[i].text.n), "row %zu", i))
			tap_show("text", rows[i].text);
		for (size_t cut = 0; cut < rows[i].text.n; cut++)
			wrong += !good(i, cut);
		tap_ok(wrong == 0, "row %zu in two pieces", i);
	}
}

/* Where it ends, whether as headers do, and whether somebody vouches. */
static const struct {
	struct str text;
	size_t end;
	bool blank, is_signed;
} ends[] = {
	{ S("\nx"), 0, true, false },
	{ S("A: b\n\nx\n"), 5, true, false },
	{ S("A: b\n"), 5, true, false },
	{ S(""), 0, true, false },
	{ S("A: b"), 4, false, false },
	{ S("A: b\nno field\n\n"), 14, false, false },
	{ S("dkim-signature: x\n\n"), 18, true, true },
	{ S("DKIM-Signature:\n x\nA: b\n\n"), 24, true, true },
	{ S("DomainKey-Signature: x\n"), 23, true, true },
	{ S("ARC-Message-Signature: x\n\n"), 25, true, true },
	{ S("X-DKIM-Signature: x\n\nDKIM-Signature: y\n"), 20, true, false },
};

static void endings(void)
{
	for (size_t i = 0; i < TAP_N(ends); i++)
		for (size_t cut = 0; cut <= ends[i].text.n; cut++) {
			struct header h;
			size_t n;

			header_init(&h, NULL, NULL);
			n = header_feed(&h, str_head(ends[i].text, cut));
			if (!h.over)
				n += header_feed(
				    &h, str_skip(ends[i].text, cut));
			header_finish(&h);
			tap_ok(n == ends[i].end && h.blank == ends[i].blank &&
				   h.is_signed == ends[i].is_signed,
			    "end %zu, cut at %zu", i, cut);
		}
}

/* n fields of that name. */
static bool loops(const char *field, unsigned n)
{
	struct header h;

	header_init(&h, NULL, NULL);
	for (unsigned i = 0; i < n; i++)
		feed(&h, str_of(field));
	header_finish(&h);
	return h.loop;
}

static void hops(void)
{
	tap_ok(!loops("Received: x\n", 98), "98 Received");
	tap_ok(!loops("Received: x\n", 99), "99 Received");
	tap_ok(loops("Received: x\n", 100), "100 Received are a loop");
	tap_ok(loops("Received: x\n", 101), "101 Received");
	tap_ok(!loops("Delivered-To: x\n", 99), "99 Delivered-To");
	tap_ok(!loops("Delivered-To: x\n", 100), "100 Delivered-To");
	tap_ok(loops("Delivered-To: x\n", 101), "101 Delivered-To are a loop");
}

/* A field of n octets with its line end, then ours. */
static bool long_field(size_t n, size_t piece)
{
	struct header h;
	struct str text = tap_run('x', n);
	char *exact = tap_exact(text);

	exact[1] = ':';
	exact[n - 1] = '\n';
	header_init(&h, alice, NULL);
	for (size_t i = 0; i < n; i += piece)
		header_feed(&h, str_head(str_at(exact + i, n - i), piece));
	free(exact);
	if (h.cut != (n > HEADER_LINE_MAX))
		return false;
	feed(&h, STR(" Received: folded\nReceived: x\n\n"));
	return h.nreceived == 1 && h.over && !h.loop;
}

static void lengths(void)
{
	static const size_t n[] = { 3, 998, 999, 1000, 1001, 1002, 5000,
		100000 };
	struct header h;
	size_t wrong = 0;

	for (size_t i = 0; i < TAP_N(n); i++) {
		tap_ok(long_field(n[i], n[i]), "a field of %zu", n[i]);
		tap_ok(long_field(n[i], 1), "a field of %zu by octets", n[i]);
		tap_ok(long_field(n[i], 7), "a field of %zu by sevens", n[i]);
	}
	for (size_t blanks = 960; blanks < 1000; blanks++) {
		header_init(&h, alice, NULL);
		feed(&h, STR("Delivered-To:"));
		feed(&h, tap_run(' ', blanks));
		feed(&h, STR("alice@example.net\n\n"));
		/* Name, blanks and value within the part that is kept. */
		wrong += h.loop != (13 + blanks + 17 < HEADER_LINE_MAX);
	}
	tap_ok(wrong == 0, "a value is seen up to the limit");
	header_init(&h, alice, NULL);
	feed(&h, tap_run('x', 5000));
	feed(&h, STR(": y\nReceived: x\n"));
	tap_ok(h.over && h.nreceived == 0,
	    "a name that is longer than the limit is no field");
	header_init(&h, alice, NULL);
	for (int i = 0; i < 3000; i++)
		feed(&h, STR(" x\n"));
	tap_ok(!h.over && h.cut, "one endless field");
	header_finish(&h);
	tap_ok(h.over && h.nreceived == 0, "that is none");
}

int main(void)
{
	endings();
	fields();
	hops();
	lengths();
	return tap_done();
}
