/* Quoted-printable: vectors, whole and cut in two at every octet. */
#include "tests/unit/tap.h"

#include "mail/qp.h"

#define A10 "aaaaaaaaaa"
#define A70 A10 A10 A10 A10 A10 A10 A10

/* clang-format off */
static const struct {
	struct str in, out;
} rows[] = {
	{ S(""), S("") },
	{ S("abc"), S("abc") },
	{ S("abc\n"), S("abc\n") },
	{ S("\n\n"), S("\n\n") },
	{ S("a=b"), S("a=3Db") },
	{ S("\xfc\r\0\x7f"), S("=FC=0D=00=7F") },
	{ S("a b\tc"), S("a b\tc") },
	{ S("a \nb\t\n"), S("a=20\nb=09\n") },
	{ S("a  \n"), S("a =20\n") },
	{ S(" "), S("=20") },
	{ S("a "), S("a=20") },
	{ S(" \n"), S("=20\n") },
	{ S("-- \n--x\n"), S("--=20\n--x\n") },
	{ S(A70 "aaaaa\n"), S(A70 "aaaaa\n") },
	{ S(A70 "aaaaaa\n"), S(A70 "aaaaa=\na\n") },
	{ S(A70 "aaaa \n"), S(A70 "aaaa=\n=20\n") },
	{ S(A70 "aaaaa \n"), S(A70 "aaaaa=\n=20\n") },
	{ S(A70 "aaaa b\n"), S(A70 "aaaa =\nb\n") },
	{ S(A70 "aaa=\n"), S(A70 "aaa=\n=3D\n") },
	{ S(A70 "aa=\n"), S(A70 "aa=3D\n") },
	{ S(A70 "aaaaa--b\n"), S(A70 "aaaaa=\n=2D-b\n") },
	{ S(A70 "aaaa--b\n"), S(A70 "aaaa-=\n=2Db\n") },
	{ S(A70 "aaaa --b\n"), S(A70 "aaaa =\n=2D-b\n") },
	{ S(A70 "aaaaa.b\n"), S(A70 "aaaaa=\n.b\n") },
};
/* clang-format on */

static void run(struct str in, size_t cut, size_t cap, struct buf *all)
{
	struct str piece[2] = { str_head(in, cut), str_skip(in, cut) };
	char text[64];
	struct buf b = { text, 0, cap, false };
	struct qp q = { 0 };

	for (unsigned i = 0; i < 2; i++)
		while (piece[i].n > 0) {
			piece[i] =
			    str_skip(piece[i], qp_feed(&q, piece[i], &b));
			buf_put(all, buf_str(&b));
			buf_clear(&b);
		}
	qp_finish(&q, &b);
	buf_put(all, buf_str(&b));
	all->full = all->full || b.full;
}

int main(void)
{
	char text[512];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true;
		struct buf b = BUF(text);

		run(rows[i].in, rows[i].in.n, sizeof(text) / 8, &b);
		tap_same(buf_str(&b), rows[i].out, "row %zu", i);
		for (size_t n = 0; n <= rows[i].in.n; n++)
			for (size_t cap = QP_ROOM; cap < 14; cap++) {
				buf_clear(&b);
				run(rows[i].in, n, cap, &b);
				same = same && !b.full &&
				       str_eq(buf_str(&b), rows[i].out);
			}
		tap_ok(same, "row %zu, in pieces", i);
	}
	return tap_done();
}
