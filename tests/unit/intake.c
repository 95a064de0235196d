/* What a local program writes, whole and cut in two at every octet. */
#include "tests/unit/tap.h"

#include "mail/intake.h"

/* clang-format off */
static const struct {
	bool keep_dots;
	struct str in, out;
} rows[] = {
	{ false, S(""), S("") },
	{ false, S("a\n"), S("a\n") },
	{ false, S("a"), S("a") },
	{ false, S("a\r\nb\r\n"), S("a\nb\n") },
	{ false, S("a\rb"), S("a\rb") },
	{ false, S("a\r"), S("a\r") },
	{ false, S("a\r\r\n"), S("a\r\n") },
	{ false, S("a\n\r\nb"), S("a\n\nb") },
	{ false, S("\r"), S("\r") },
	/* dots */
	{ false, S("a\n.\nb\n"), S("a\n") },
	{ false, S("a\r\n.\r\nb\n"), S("a\n") },
	{ false, S(".\nb"), S("") },
	{ false, S("a\n."), S("a\n") },
	{ false, S("a\n.\r"), S("a\n") },
	{ false, S("a\n..\nb\n"), S("a\n..\nb\n") },
	{ false, S("a\n.b\n"), S("a\n.b\n") },
	{ false, S("a\n.\rb\n"), S("a\n.\rb\n") },
	{ false, S("a\n. \nb\n"), S("a\n. \nb\n") },
	{ false, S("a.\nb\n"), S("a.\nb\n") },
	{ false, S("a\n.\n.\nb"), S("a\n") },
	{ true, S("a\n.\nb\n"), S("a\n.\nb\n") },
	{ true, S("a\r\n.\r\nb"), S("a\n.\nb") },
	{ true, S("a\n..\n."), S("a\n..\n.") },
	/* the line before a message */
	{ true, S("From x\ny\n"), S("y\n") },
	{ false, S("From x\n.\nz\n"), S("") },
	{ true, S("From: x\n"), S("From: x\n") },
	{ true, S("Fro"), S("Fro") },
	{ true, S("y\nFrom x\n"), S("y\nFrom x\n") },
};
/* clang-format on */

/* Through a buffer that has room for one octet more at a time. */
static void feed(struct intake *in, struct str s, struct buf *out)
{
	char *copy = tap_exact(s), room[INTAKE_ROOM];
	struct str rest = str_at(copy, s.n);

	while (rest.n > 0) {
		struct buf b = BUF(room);
		size_t n = intake_feed(in, rest, &b);

		if (b.full || (n == 0 && b.n == 0))
			break;
		buf_put(out, buf_str(&b));
		rest = str_skip(rest, n);
	}
	buf_putz(out, rest.n > 0 ? "STUCK" : "");
	free(copy);
}

static void run(size_t i, size_t cut, struct buf *out)
{
	struct intake in = { .keep_dots = rows[i].keep_dots };

	feed(&in, str_head(rows[i].in, cut), out);
	feed(&in, str_skip(rows[i].in, cut), out);
	intake_finish(&in, out);
}

static void nuls(void)
{
	char text[64];

	for (size_t at = 0; at < 8; at++) {
		char s[] = "ab\ncd\nef";
		struct intake in = { .keep_dots = false };
		struct buf b = BUF(text);

		s[at] = '\0';
		intake_feed(&in, str_at(s, 8), &b);
		tap_ok(in.nul, "NUL at %zu", at);
	}
	for (unsigned i = 0; i < 1; i++) {
		struct intake in = { .keep_dots = false };
		struct buf b = BUF(text);

		intake_feed(&in, STR("a\n.\nb\0"), &b);
		tap_ok(!in.nul, "a NUL behind the end is nobody's");
	}
}

int main(void)
{
	char text[64];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		bool same = true;

		for (size_t n = 0; n <= rows[i].in.n && same; n++) {
			struct buf b = BUF(text);

			run(i, n, &b);
			same = str_eq(buf_str(&b), rows[i].out);
			if (!same) {
				tap_show("got ", buf_str(&b));
				tap_show("want", rows[i].out);
			}
		}
		tap_ok(same, "row %zu", i);
	}
	nuls();
	return tap_done();
}
