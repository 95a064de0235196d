/* Replies as a client reads them, whole and cut in two at every octet. */
#include "tests/unit/tap.h"

#include "mail/reply.h"

/* clang-format off */
static const struct {
	struct str in;
	int rc;
	unsigned code;
	struct str status, text;
	size_t left;		/* octets behind the reply */
} rows[] = {
	{ S("250 ok\r\n"), REPLY_DONE, 250, S("2.0.0"), S("ok"), 0 },
	{ S("250 2.1.5 ok\r\n"), REPLY_DONE, 250, S("2.1.5"), S("ok"), 0 },
	{ S("250 ok\n"), REPLY_DONE, 250, S("2.0.0"), S("ok"), 0 },
	{ S("250\r\n"), REPLY_DONE, 250, S("2.0.0"), S(""), 0 },
	{ S("250\n"), REPLY_DONE, 250, S("2.0.0"), S(""), 0 },
	{ S("250 \r\n"), REPLY_DONE, 250, S("2.0.0"), S(""), 0 },
	{ S("250-one\r\n250-two\r\n250 three\r\n"), REPLY_DONE, 250,
	    S("2.0.0"), S("one/two/three"), 0 },
	{ S("550-5.1.1 no\r\n550 5.1.1 body\r\n"), REPLY_DONE, 550,
	    S("5.1.1"), S("no/body"), 0 },
	{ S("550-\r\n550 x\r\n"), REPLY_DONE, 550, S("5.0.0"), S("x"), 0 },
	{ S("452 4.2.2\r\n"), REPLY_DONE, 452, S("4.2.2"), S(""), 0 },
	{ S("452 4.123.999 x\r\n"), REPLY_DONE, 452, S("4.123.999"), S("x"),
	    0 },
	/* What only looks like a status is text. */
	{ S("452 5.2.2 x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("5.2.2 x"),
	    0 },
	{ S("452 4.2 x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("4.2 x"), 0 },
	{ S("452 4.2.2.2 x\r\n"), REPLY_DONE, 452, S("4.0.0"),
	    S("4.2.2.2 x"), 0 },
	{ S("452 4.2.2: x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("4.2.2: x"),
	    0 },
	{ S("452 4..2 x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("4..2 x"), 0 },
	{ S("452 4.2.2. x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("4.2.2. x"),
	    0 },
	{ S("452 4.1234.1 x\r\n"), REPLY_DONE, 452, S("4.0.0"),
	    S("4.1234.1 x"), 0 },
	{ S("452 44.1.1 x\r\n"), REPLY_DONE, 452, S("4.0.0"), S("44.1.1 x"),
	    0 },
	{ S("250 1234567890123 x\r\n"), REPLY_DONE, 250, S("2.0.0"),
	    S("1234567890123 x"), 0 },
	{ S("250  2.0.0 x\r\n"), REPLY_DONE, 250, S("2.0.0"), S(" 2.0.0 x"),
	    0 },
	/* What must not be passed on. */
	{ S("250 a\tb\x1b[\xff\0\r\n"), REPLY_DONE, 250, S("2.0.0"),
	    S("a?b?[??"), 0 },
	{ S("250 a\rb\r\n"), REPLY_DONE, 250, S("2.0.0"), S("a?b"), 0 },
	{ S("250 a\r\r\n"), REPLY_DONE, 250, S("2.0.0"), S("a?"), 0 },
	/* Not an octet more than the reply. */
	{ S("220 hi\r\n250 fake\r\n"), REPLY_DONE, 220, S("2.0.0"), S("hi"),
	    10 },
	{ S("354 go\r\n"), REPLY_DONE, 354, S("2.0.0"), S("go"), 0 },
	/* More is needed. */
	{ S(""), 0, 0, S("2.0.0"), S(""), 0 },
	{ S("25"), 0, 0, S("2.0.0"), S(""), 0 },
	{ S("250"), 0, 250, S("2.0.0"), S(""), 0 },
	{ S("250-x\r\n"), 0, 250, S("2.0.0"), S("x"), 0 },
	{ S("250 x\r"), 0, 250, S("2.0.0"), S("x"), 0 },
	/* No replies. */
	{ S("\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("hello\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("2x0 hello\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("199 x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("600 x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("000 x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("2500 x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("250x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("250-x\r\n251 y\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S("250-x\r\nx\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
	{ S(" 250 x\r\n"), REPLY_BAD, 0, S(""), S(""), 0 },
};
/* clang-format on */

/* In two pieces, each in memory of its own size. */
static int feed(struct reply *r, struct str in, size_t cut, size_t *left)
{
	struct str piece[2] = { str_head(in, cut), str_skip(in, cut) };
	int rc = 0;

	memset(r, 0, sizeof(*r));
	*left = 0;
	for (unsigned i = 0; i < 2; i++) {
		char *octets = tap_exact(piece[i]);
		struct str s = str_at(octets, piece[i].n);

		if (rc == 0)
			rc = reply_feed(r, &s);
		*left += s.n;
		free(octets);
	}
	return rc;
}

static void whole(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct reply r;
		size_t left;
		int rc = feed(&r, rows[i].in, rows[i].in.n, &left);

		tap_ok(rc == rows[i].rc, "reply %zu: %d", i, rc);
		if (rc == REPLY_BAD)
			continue;
		tap_ok(r.code == rows[i].code && left == rows[i].left,
		    "reply %zu: code %u, %zu left", i, r.code, left);
		tap_same(reply_status(&r), rows[i].status, "status %zu", i);
		tap_same(reply_text(&r), rows[i].text, "text %zu", i);
	}
}

static void cut(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true;

		for (size_t n = 0; n <= rows[i].in.n; n++) {
			struct reply r;
			size_t left;
			int rc = feed(&r, rows[i].in, n, &left);

			same = same && rc == rows[i].rc;
			if (rc == REPLY_BAD || !same)
				continue;
			same = left == rows[i].left && r.code == rows[i].code &&
			       str_eq(reply_text(&r), rows[i].text) &&
			       str_eq(reply_status(&r), rows[i].status);
		}
		tap_ok(same, "reply %zu, cut in two anywhere", i);
	}
}

static int feed_lines(struct reply *r, unsigned n)
{
	int rc = 0;

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < n && rc == 0; i++) {
		struct str line =
		    i + 1 < n ? STR("250-abc\r\n") : STR("250 abc\r\n");

		rc = reply_feed(r, &line);
	}
	return rc;
}

static void limits(void)
{
	static char text[REPLY_OCTETS_MAX + 32];
	struct buf b = BUF(text);
	struct reply r;
	struct str in;

	tap_ok(feed_lines(&r, REPLY_LINES_MAX) == REPLY_DONE, "many lines");
	tap_ok(reply_text(&r).n == REPLY_TEXT_MAX, "of which a part is kept");
	tap_ok(feed_lines(&r, REPLY_LINES_MAX + 1) == REPLY_BAD, "too many");
	buf_putz(&b, "250 ");
	buf_put(&b, tap_run('x', REPLY_OCTETS_MAX));
	in = buf_str(&b);
	memset(&r, 0, sizeof(r));
	tap_ok(reply_feed(&r, &in) == REPLY_BAD, "a line without end");
}

int main(void)
{
	whole();
	cut();
	limits();
	return tap_done();
}
