/* mbox quoting, whole and cut in two at every octet, and the line before. */
#include "tests/unit/tap.h"

#include "mail/mboxrd.h"

/* clang-format off */
static const struct {
	struct str in, out;
} rows[] = {
	{ S(""), S("\n") },
	{ S("x"), S("x\n\n") },
	{ S("x\n"), S("x\n\n") },
	{ S("x\n\n"), S("x\n\n\n") },
	{ S("From a"), S(">From a\n\n") },
	{ S("From "), S(">From \n\n") },
	{ S("From"), S("From\n\n") },
	{ S("From\n"), S("From\n\n") },
	{ S("From:"), S("From:\n\n") },
	{ S("from a\n"), S("from a\n\n") },
	{ S(" From a\n"), S(" From a\n\n") },
	{ S("xFrom a\n"), S("xFrom a\n\n") },
	{ S(">From a\n"), S(">>From a\n\n") },
	{ S(">>>From a\n"), S(">>>>From a\n\n") },
	{ S("> From a\n"), S("> From a\n\n") },
	{ S(">>"), S(">>\n\n") },
	{ S(">Fro\n>"), S(">Fro\n>\n\n") },
	{ S("FFrom a\n"), S("FFrom a\n\n") },
	{ S("FroFrom a\n"), S("FroFrom a\n\n") },
	{ S("Fro\nFrom a\n"), S("Fro\n>From a\n\n") },
	{ S("a\nFrom b\nFrom c\n\nFrom d"),
	    S("a\n>From b\n>From c\n\n>From d\n\n") },
	{ S("From From From \n"), S(">From From From \n\n") },
	{ S("F>rom a\n"), S("F>rom a\n\n") },
	{ S("\0From a\nFrom\0"), S("\0From a\nFrom\0\n\n") },
};

static const struct {
	struct str sender;
	int64_t seconds;
	struct str line;
} postmarks[] = {
	{ S(""), 0, S("From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n") },
	{ S("a@b"), 1795468380, S("From a@b Mon Nov 23 21:13:00 2026\n") },
	{ S("\"a b\"@c"), 0, S("From \"a-b\"@c Thu Jan  1 00:00:00 1970\n") },
};
/* clang-format on */

enum { ROOM = 256 };

/* Through a buffer that holds `cap` octets at a time. */
static void run(struct str in, size_t cut, size_t cap, struct buf *all)
{
	struct str piece[2] = { str_head(in, cut), str_skip(in, cut) };
	char text[ROOM];
	struct buf b = { text, 0, cap, false };
	struct mboxrd m = { 0 };

	for (unsigned i = 0; i < 2; i++)
		while (piece[i].n > 0) {
			piece[i] =
			    str_skip(piece[i], mboxrd_feed(&m, piece[i], &b));
			buf_put(all, buf_str(&b));
			buf_clear(&b);
		}
	mboxrd_finish(&m, &b);
	buf_put(all, buf_str(&b));
	all->full = all->full || b.full;
}

int main(void)
{
	char text[ROOM];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true;
		struct buf b = BUF(text);

		run(rows[i].in, rows[i].in.n, ROOM, &b);
		tap_same(buf_str(&b), rows[i].out, "row %zu", i);
		for (size_t n = 0; n <= rows[i].in.n; n++)
			for (size_t cap = MBOXRD_ROOM; cap < 12; cap++) {
				buf_clear(&b);
				run(rows[i].in, n, cap, &b);
				same = same && !b.full &&
				       str_eq(buf_str(&b), rows[i].out);
			}
		tap_ok(same, "row %zu, in pieces", i);
	}
	for (size_t i = 0; i < TAP_N(postmarks); i++) {
		struct buf b = BUF(text);

		mboxrd_from(&b, postmarks[i].sender, postmarks[i].seconds);
		tap_same(buf_str(&b), postmarks[i].line, "postmark %zu", i);
	}
	return tap_done();
}
