/* Long lines: what is encoded, folded or left alone, and all of it in pieces
 * of every size. */
#include "tests/unit/tap.h"

#include "mail/encode.h"

#define A10 "aaaaaaaaaa"
#define A70 A10 A10 A10 A10 A10 A10 A10
#define A900 \
	A70 A70 A70 A70 A70 A70 A70 A70 A70 A70 A70 A70 A10 A10 A10 A10 A10 A10
#define A990 A900 A70 A10 A10
#define A998 A990 "aaaaaaaa"
#define LONG A998 "b"
#define A75 A70 "aaaaa"
#define A75B A75 "=\n"
/* LONG in quoted-printable: 13 lines of 75, and 23 octets more */
#define CODE                                                                 \
	A75B A75B A75B A75B A75B A75B A75B A75B A75B A75B A75B A75B A75B A10 \
	    A10 "aaab"
#define CTE "Content-Transfer-Encoding: quoted-printable\n"
#define VERSION "MIME-Version: 1.0\n"

/* clang-format off */
static const struct {
	const char *name;
	struct str in, out; /* out empty: it stays as it is */
} rows[] = {
	{ "empty", S(""), S("") },
	{ "header only", S("a: b\n"), S("") },
	{ "short", S("a: b\n\nbody\n"), S("") },
	{ "998", S("a: b\n\n" A998 "\n"), S("") },
	{ "998, no end", S("a: b\n\n" A998), S("") },
	{ "999", S("a: b\n\n" LONG "\n"),
	    S("a: b\n" VERSION CTE "\n" CODE "\n") },
	{ "999, no end", S("a: b\n\n" LONG),
	    S("a: b\n" VERSION CTE "\n" CODE) },
	{ "no header", S("\n" LONG "\n"),
	    S(VERSION CTE "\n" CODE "\n") },
	{ "text and 8bit", S("MIME-Version: 1.0\n"
	    "Content-Transfer-Encoding\t:\n 8BIT\nContent-Type: text/html\n\n"
	    "\xfc\n" LONG "\n"),
	    S(VERSION "Content-Type: text/html\n" CTE "\n=FC\n" CODE "\n") },
	{ "binary", S("content-transfer-encoding: binary \nx: y\n\n" LONG "\n"),
	    S("x: y\n" VERSION CTE "\n" CODE "\n") },
	{ "base64 already", S("Content-Transfer-Encoding: base64\n\n" LONG
	    "\n"), S("") },
	{ "unknown encoding", S("Content-Transfer-Encoding: x-yenc\n\n" LONG
	    "\n"), S("") },
	{ "DKIM", S("DKIM-Signature: x\n\n" LONG "\n"), S("") },
	{ "DKIM and a long header", S("a: " A900 " " A900
	    "\nDKIM-Signature: x\n\n\n"), S("") },
	{ "S/MIME", S("Content-Type: application/pkcs7-mime; x=y\n\n" LONG
	    "\n"), S("") },
	{ "not a header", S("a: b\nnot one\n" LONG "\n"), S("") },
	{ "comment in the type", S("Content-Type: (x) text/plain\n\n" LONG
	    "\n"), S("") },
	{ "long header", S("a: " A900 " " A900 "\n\nx\n"),
	    S("a: " A900 "\n " A900 "\n\nx\n") },
	{ "long header, folded before", S("a:\n " A900 "\t" A900 "\n\nx\n"),
	    S("a:\n " A900 "\n\t" A900 "\n\nx\n") },
	{ "long header, blanks at its end", S("a: " A990 "         \n\nx\n"),
	    S("a:\n " A990 "         \n\nx\n") },
	{ "long header, no blank", S("a:" LONG "\n\nx\n"),
	    S("a:" LONG "\n\nx\n") },
	{ "parts", S("MIME-Version: 1.0\nContent-Type: multipart/mixed;\n"
	    "\tboundary=\"a \\b\"\n\npre\n--a b\n\nx\n--a b \nc: d\n\n" LONG
	    "\n--a bc\n--a b--\n" LONG "\n"),
	    S("MIME-Version: 1.0\nContent-Type: multipart/mixed;\n"
	    "\tboundary=\"a \\b\"\n\npre\n--a b\n\nx\n--a b \nc: d\n" CTE "\n"
	    CODE "\n--a bc\n--a b--\n" LONG "\n") },
	{ "a part's end without an end", S("MIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary==\n\n--=\n\n" LONG
	    "\n--=--"),
	    S("MIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary==\n\n--=\n" CTE "\n" CODE
	    "\n--=--") },
	{ "a header that a boundary ends", S("Content-Type: "
	    "multipart/mixed; boundary=x(y)\n\n--x\na: b\n--x\n\n" LONG
	    "\n--x--\n"),
	    S("Content-Type: multipart/mixed; boundary=x(y)\n" VERSION
	    "\n--x\na: b\n--x\n" CTE "\n" CODE "\n--x--\n") },
	{ "an outer boundary ends all", S("Content-Type: "
	    "multipart/mixed; boundary=x\n\n--x\nContent-Type: "
	    "multipart/mixed; boundary=y\n\n--y\n\na\n--x\n\n" LONG
	    "\n--y\n\n" LONG "\n--x--\n"),
	    S("Content-Type: multipart/mixed; boundary=x\n" VERSION
	    "\n--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\na\n"
	    "--x\n" CTE "\n" CODE "\n--y\n\n" CODE "\n--x--\n") },
	{ "signed", S("Content-Type: multipart/signed; boundary=x\n\n--x\n\n"
	    LONG "\n--x--\n"), S("") },
	{ "boundary with a blank at its end", S("Content-Type: "
	    "multipart/mixed; boundary=\"x \"\n\n--x \n\n" LONG "\n--x --\n"),
	    S("") },
};
/* clang-format on */

static struct encode e;

static bool run(struct str in, size_t step, struct buf *out)
{
	struct str s = in;

	memset(&e, 0, sizeof(e));
	for (; s.n > 0; s = str_skip(s, step))
		encode_look(&e, str_head(s, step));
	if (!encode_is_needed(&e))
		return false;
	for (s = in; s.n > 0;)
		s = str_skip(s, encode_feed(&e, str_head(s, step), out));
	encode_finish(&e, out);
	return true;
}

/* Deeper than what is kept track of: it stays. */
static void test_deep(void)
{
	static char in[8192], out[65536];
	struct buf b = BUF(in), o = BUF(out);

	for (unsigned n = MIME_DEPTH_MAX; n < MIME_DEPTH_MAX + 2; n++) {
		buf_clear(&b);
		buf_clear(&o);
		for (unsigned i = 0; i < n; i++) {
			buf_putz(&b, "Content-Type: multipart/mixed; "
				     "boundary=\"b");
			buf_u64(&b, i);
			buf_putz(&b, "\"\n\n--b");
			buf_u64(&b, i);
			buf_putc(&b, '\n');
		}
		buf_putz(&b, "\n" LONG "\n");
		tap_ok(run(buf_str(&b), b.n, &o) == (n == MIME_DEPTH_MAX),
		    "%u deep", n);
	}
}

int main(void)
{
	static char room[65536];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true, needed;
		struct buf b = BUF(room);

		needed = run(rows[i].in, rows[i].in.n + 1, &b);
		tap_ok(
		    needed == (rows[i].out.n > 0), "%s: needed", rows[i].name);
		tap_same(buf_str(&b), rows[i].out, "%s", rows[i].name);
		for (size_t step = 1; step <= rows[i].in.n;
		     step += step / 9 + 1) {
			buf_clear(&b);
			run(rows[i].in, step, &b);
			same =
			    same && !b.full && str_eq(buf_str(&b), rows[i].out);
		}
		tap_ok(same, "%s, in pieces", rows[i].name);
	}
	test_deep();
	return tap_done();
}
