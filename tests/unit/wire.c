/* Content on the wire: cases, and for every short text over the octets that
 * matter, cut in two anywhere, that the receiving half gives it back. */
#include "tests/unit/tap.h"

#include "mail/data.h"
#include "mail/wire.h"

/* clang-format off */
static const struct {
	struct str in, out;
} rows[] = {
	{ S(""), S(".\r\n") },
	{ S("\n"), S("\r\n.\r\n") },
	{ S("a\n"), S("a\r\n.\r\n") },
	{ S("a"), S("a\r\n.\r\n") },
	{ S("."), S("..\r\n.\r\n") },
	{ S(".\n"), S("..\r\n.\r\n") },
	{ S("..\n"), S("...\r\n.\r\n") },
	{ S(".a\nb.\n.c"), S("..a\r\nb.\r\n..c\r\n.\r\n") },
	{ S("a\n.\nb\n"), S("a\r\n..\r\nb\r\n.\r\n") },
	{ S("a\rb\n"), S("a b\r\n.\r\n") },
	{ S("\r.\r\n"), S(" . \r\n.\r\n") },
	{ S("a\r\n.\r\nb"), S("a \r\n.. \r\nb\r\n.\r\n") },
	{ S("a\r"), S("a \r\n.\r\n") },
	{ S("\0\xff\n"), S("\0\xff\r\n.\r\n") },
};
/* clang-format on */

/* In two pieces, into memory of exactly the size that was promised. */
static struct str put(struct str in, size_t cut, char *room)
{
	struct buf out = { room, 0, WIRE_TIMES * in.n + WIRE_END_OCTETS,
		false };
	struct wire w = { 0 };

	wire_put(&w, str_head(in, cut), &out);
	wire_put(&w, str_skip(in, cut), &out);
	wire_end(&w, &out);
	return out.full ? STR("does not fit") : buf_str(&out);
}

static void cases(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct str in = rows[i].in;
		bool same = true;

		for (size_t cut = 0; cut <= in.n; cut++) {
			char *room =
			    malloc(WIRE_TIMES * in.n + WIRE_END_OCTETS);
			struct str out = put(in, cut, room);

			same = same && str_eq(out, rows[i].out);
			if (cut == 0)
				tap_same(out, rows[i].out, "wire %zu", i);
			free(room);
		}
		tap_ok(same, "wire %zu, cut in two anywhere", i);
	}
}

static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return false;
		if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
			return false;
	}
	return true;
}

/* What our own receiver makes of it: the text, with the line end that its
 * last line may lack, and CR as a blank. */
static bool comes_back(struct str in, struct str wire)
{
	char text[64], want[64];
	struct buf got = BUF(text), b = BUF(want);
	struct data d;
	size_t n;

	data_init(&d, 0);
	n = data_feed(&d, wire, &got);
	for (size_t i = 0; i < in.n; i++)
		buf_putc(&b, in.p[i] == '\r' ? ' ' : in.p[i]);
	if (in.n > 0 && in.p[in.n - 1] != '\n')
		buf_putc(&b, '\n');
	return d.at == DATA_END && d.defects == 0 && n == wire.n &&
	       str_eq(buf_str(&got), buf_str(&b));
}

/* Every text of up to seven of these. */
static void all_short(void)
{
	static const char octets[] = { '\n', '.', '\r', 'x', '\0' };
	unsigned long bad = 0, count = 0, n = 1;

	for (unsigned len = 0; len <= 7; len++, n *= sizeof(octets))
		for (unsigned long v = 0; v < n; v++) {
			char text[8], room[32];
			unsigned long rest = v;
			struct str in = str_at(text, len), wire;

			for (unsigned i = 0; i < len; i++) {
				text[i] = octets[rest % sizeof(octets)];
				rest /= sizeof(octets);
			}
			wire = put(in, v % (len + 1), room);
			count++;
			if (memchr(text, 0, len) == NULL &&
			    !comes_back(in, wire))
				bad++;
			if (!is_clean(wire))
				bad++;
		}
	tap_ok(bad == 0, "%lu short texts, %lu wrong", count, bad);
}

static void sums(void)
{
	struct wire_sum s = { 0 };

	wire_add(&s, STR("abc\n.de"));
	wire_add(&s, STR("fgh\n\n"));
	tap_ok(s.octets == 15 && s.longest == 6 && !s.beyond_ascii,
	    "%llu octets, longest line %zu", (unsigned long long)s.octets,
	    s.longest);
	wire_add(&s, STR("\x80"));
	tap_ok(s.octets == 16 && s.beyond_ascii, "beyond ASCII");
}

int main(void)
{
	cases();
	all_short();
	sums();
	return tap_done();
}
