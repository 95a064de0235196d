/* The original at the end of a report: cut in two at every octet, and what
 * would end the report if it stood there as it came. */
#include "tests/unit/tap.h"

#include "mail/report.h"

static char room[8192];

static const struct report usual = { .hostname = S("mx.here.example"),
	.id = S("0123456789abcdef"),
	.to = S("alice@here.example") };

#define PART "\n--=_postern_0123456789abcdef\nContent-Type: "

/* clang-format off */
static const struct {
	const char *name;
	bool utf8, full;
	struct str in;
	const char *type, *out;
} copies[] = {
	{ "header only", false, false, S("a: b\nc: d\n e\n\nbody\n"),
	    "text/rfc822-headers\nContent-Transfer-Encoding: 7bit",
	    "a: b\nc: d\n e\n" },
	{ "no header", false, false, S("\nbody\n"),
	    "text/rfc822-headers\nContent-Transfer-Encoding: 7bit",
	    "" },
	{ "8-bit header", false, false, S("a: \xfc= \n\nbody\n"),
	    "text/rfc822-headers; charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable",
	    "a: =FC=3D=20\n" },
	{ "bare CR", false, false, S("a: b\rc\n\nbody\n"),
	    "text/rfc822-headers; charset=utf-8\nContent-Transfer-"
	    "Encoding: quoted-printable\n", "a: b=0Dc\n" },
	{ "whole", false, true, S("a: b\n\nbody"),
	    "message/rfc822\nContent-Transfer-Encoding: 7bit",
	    "a: b\n\nbody" },
	{ "whole, 8-bit", false, true, S("a: b\n\nb\xf6""dy\r\n"),
	    "message/rfc822\nContent-Transfer-Encoding: 8bit",
	    "a: b\n\nb\xf6""dy?\n" },
	{ "utf8 header", true, false, S("a: \xc3\xbc\n\nbody\n"),
	    "message/global-headers\nContent-Transfer-Encoding: 8bit",
	    "a: \xc3\xbc\n" },
	{ "utf8 whole", true, true, S("a: \xc3\xbc\n\nbody\n"),
	    "message/global\nContent-Transfer-Encoding: 8bit",
	    "a: \xc3\xbc\n\nbody\n" },
	{ "boundaries", false, true, S("--=_postern_0123456789abcdef--\n"
	    "--=_postern\n--x\n--=_postern_\n"),
	    "message/rfc822",
	    " --=_postern_0123456789abcdef--\n--=_postern\n--x\n"
	    " --=_postern_\n" },
	{ "half a boundary", false, true, S("a: b\n\n--=_post"),
	    "message/rfc822", "a: b\n\n--=_post" },
	{ "boundary in a header", false, false,
	    S("--=_postern_0123456789abcdef: x\n\n"),
	    "text/rfc822-headers",
	    " --=_postern_0123456789abcdef: x\n" },
};
/* clang-format on */

static void test_copies(void)
{
	for (size_t i = 0; i < TAP_N(copies); i++) {
		struct report r = usual;
		size_t column = 0;
		struct str s, in = copies[i].in;
		struct report_copy c = { 0 };
		struct buf b = BUF(room);

		r.utf8 = copies[i].utf8;
		r.full = copies[i].full;
		r.plain = report_is_plain(&column, in);
		report_original(&b, &r);
		s = str_skip(buf_str(&b), strlen(PART));
		tap_ok(str_starts(s, str_of(copies[i].type)), "copy, %s: type",
		    copies[i].name);
		buf_clear(&b);
		report_copy(&c, &r, in, &b);
		report_copy_finish(&c, &r, &b);
		tap_same(buf_str(&b), str_of(copies[i].out), "copy, %s",
		    copies[i].name);
	}
}

/* In two pieces, through rooms of every small size. */
static void test_pieces(void)
{
	static char all[4096], some[64];
	struct report r = usual;
	struct str in = STR("a: \xfc\n--=_postern_x: 1\n --\n\n--=_pos\n--=_p");

	for (unsigned kind = 0; kind < 4; kind++) {
		bool same = true;
		struct buf first = { 0 };

		r.utf8 = (kind & 1) != 0;
		r.full = (kind & 2) != 0;
		r.plain = false;
		for (size_t cut = 0; cut <= in.n; cut++) {
			struct str piece[2] = { str_head(in, cut),
				str_skip(in, cut) };
			struct buf out = { all + 2048 * (cut > 0), 0, 2048,
				false };
			struct buf b = { some, 0, REPORT_COPY_ROOM + cut % 9,
				false };
			struct report_copy c = { 0 };

			for (unsigned k = 0; k < 2; k++)
				while (piece[k].n > 0) {
					piece[k] = str_skip(piece[k],
					    report_copy(&c, &r, piece[k], &b));
					buf_put(&out, buf_str(&b));
					same = same && !b.full;
					buf_clear(&b);
				}
			report_copy_finish(&c, &r, &b);
			buf_put(&out, buf_str(&b));
			if (cut == 0)
				first = out;
			same = same && str_eq(buf_str(&first), buf_str(&out));
		}
		tap_ok(same && first.n > 0, "copy %u in pieces", kind);
	}
}

static void test_plain(void)
{
	static const struct {
		struct str in;
		bool plain;
	} rows[] = { { S(""), true }, { S("a\n"), true }, { S("\x80"), false },
		{ S("\x7f"), false }, { S("a\rb"), false },
		{ S("a\0b"), false } };

	for (size_t i = 0; i < TAP_N(rows); i++) {
		size_t column = 0;

		tap_ok(report_is_plain(&column, rows[i].in) == rows[i].plain,
		    "plain %zu", i);
	}
	for (size_t n = 997; n <= 999; n++) {
		size_t column = 0;
		bool good = report_is_plain(&column, tap_run('a', 500)) &&
			    report_is_plain(&column, tap_run('a', n - 500)) &&
			    report_is_plain(&column, STR("\n")) &&
			    report_is_plain(&column, tap_run('a', 998));

		tap_ok(good == (n <= 998), "a line of %zu octets", n);
	}
}

int main(void)
{
	test_copies();
	test_pieces();
	test_plain();
	return tap_done();
}
