/* The line before a message, whole and cut in two at every octet. */
#include "tests/unit/tap.h"

#include "mail/postmark.h"

/* clang-format off */
static const struct {
	struct str in, out;
} rows[] = {
	{ S(""), S("") },
	{ S("From x\n"), S("") },
	{ S("From x\ny\n"), S("y\n") },
	{ S("From x\r\ny\n"), S("y\n") },
	{ S("From \n"), S("") },
	{ S("From x\nFrom y\n"), S("From y\n") },
	{ S("From without an end"), S("") },
	{ S("From "), S("") },
	{ S("From"), S("From") },
	{ S("F"), S("F") },
	{ S("Fro\n"), S("Fro\n") },
	{ S("FroFrom x\n"), S("FroFrom x\n") },
	{ S("FFrom x\n"), S("FFrom x\n") },
	{ S("From: x\n"), S("From: x\n") },
	{ S("from x\ny\n"), S("from x\ny\n") },
	{ S(" From x\n"), S(" From x\n") },
	{ S(">From x\n"), S(">From x\n") },
	{ S("\nFrom x\n"), S("\nFrom x\n") },
	{ S("From \0\n\0"), S("\0") },
	{ S("\0From x\n"), S("\0From x\n") },
};
/* clang-format on */

static void run(struct str in, size_t cut, struct buf *out)
{
	struct str piece[2] = { str_head(in, cut), str_skip(in, cut) };
	struct postmark m = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		char *copy = tap_exact(piece[i]);
		struct str held, rest;

		rest = postmark_skip(&m, str_at(copy, piece[i].n), &held);
		buf_put(out, held);
		buf_put(out, rest);
		free(copy);
	}
	buf_put(out, postmark_finish(&m));
}

int main(void)
{
	char text[64];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true;

		for (size_t n = 0; n <= rows[i].in.n && same; n++) {
			struct buf b = BUF(text);

			run(rows[i].in, n, &b);
			same = str_eq(buf_str(&b), rows[i].out);
		}
		tap_ok(same, "row %zu, cut everywhere", i);
	}
	return tap_done();
}
