/* Lists of addresses, as they stand in headers. */
#include "tests/unit/tap.h"

#include "mail/list.h"

#define A64 "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

/* clang-format off */
static const struct {
	struct str in, out; /* "address|address", ! for what is none */
} rows[] = {
	{ S(""), S("") },
	{ S("a@b.c"), S("a@b.c") },
	{ S(" a@b.c \r\n"), S("a@b.c") },
	{ S("root"), S("root") },
	{ S("a@b.c, d@e.f"), S("a@b.c|d@e.f") },
	{ S("a@b.c,\r\n\td@e.f"), S("a@b.c|d@e.f") },
	{ S(",, a ,,b,"), S("a|b") },
	{ S("Al <a@b.c>"), S("a@b.c") },
	{ S("Al B. C <a@b.c>, <d>"), S("a@b.c|d") },
	{ S("\"C, D\" <a@b.c>"), S("a@b.c") },
	{ S("\"C\\\" <x@y>, D\" <a@b.c>"), S("a@b.c") },
	{ S("a@b.c (Al, <x@y>)"), S("a@b.c") },
	{ S("a (no (nest) here) @ (x) b.c"), S("a@b.c") },
	{ S("(\\() a@b.c"), S("a@b.c") },
	{ S("root (Cron Daemon)"), S("root") },
	{ S("a . b @ c . d"), S("a.b@c.d") },
	{ S("\"a b\"@c.d"), S("\"a b\"@c.d") },
	{ S("\"a\\\"b\"@c.d, x"), S("\"a\\\"b\"@c.d|x") },
	{ S("a@[192.0.2.1]"), S("a@[192.0.2.1]") },
	{ S("a@[IPv6:2001:db8::1]"), S("a@[ipv6:2001:db8::1]") },
	{ S("<@x.y,@z:a@b.c>"), S("a@b.c") },
	{ S("undisclosed-recipients:;"), S("") },
	{ S("x: a@b.c, d;, e"), S("a@b.c|d|e") },
	{ S("\"x, y\": Al <a@b.c>; e"), S("a@b.c|e") },
	{ S("a;b"), S("a|b") },
	{ S("=?utf-8?Q?J=C3=BC?= <a@b.c>"), S("a@b.c") },
	{ S("J\xc3\xbc <a@b.c>"), S("a@b.c") },
	{ S("j\xc3\xbc@b.c"), S("j\xc3\xbc@b.c") },
	{ S("a@b\xc3\xbc.c"), S("a@xn--b-eha.c") },
	{ S("|cmd"), S("|cmd") },
	{ S("/file"), S("/file") },
	{ S("<>"), S("!") },
	{ S("a b"), S("!") },
	{ S("a b, c"), S("!|c") },
	{ S("a@b.c d"), S("!") },
	{ S("<a@b.c> d"), S("!") },
	{ S("<a@b.c> <d>"), S("!") },
	{ S("<a@b.c"), S("!") },
	{ S("a@b.c>"), S("!") },
	{ S("a@"), S("!") },
	{ S("@b"), S("!") },
	{ S("a@b@c"), S("!") },
	{ S("a\"b\"@c"), S("!") },
	{ S("\"a"), S("!") },
	{ S("a (x"), S("!") },
	{ S("a, (x"), S("a|!") },
	{ S("[x"), S("!") },
	{ S("a..b@c.d"), S("!") },
	{ S("a\0b@c.d, e"), S("!|e") },
	{ S("a: b: c"), S("!") },
	{ S(A64 "@b.c"), S(A64 "@b.c") },
	{ S(A64 "x@b.c, y"), S("!|y") },
	{ S(A64 A64 A64 A64 A64 A64 A64 A64 A64 " <a@b.c>"), S("a@b.c") },
	{ S(A64 A64 A64 A64 A64 A64 A64 A64 A64 "@b.c, z"), S("!|z") },
};

/* Where a domain goes that is missing. */
static const struct {
	struct str in, out;
} ends[] = {
	{ S("root"), S("root*") },
	{ S(" root "), S(" root* ") },
	{ S("root (Cron)"), S("root* (Cron)") },
	{ S("Al <a>"), S("Al <a*>") },
	{ S("Al < a (x) >"), S("Al < a* (x) >") },
	{ S("\"a b\" (x)"), S("\"a b\"* (x)") },
	{ S("a@b"), S("a@b*") },
	{ S("x:a;"), S("x:a*;") },
};
/* clang-format on */

static void run(struct str in, struct buf *out)
{
	char *copy = tap_exact(in);
	struct list l = { .text = str_at(copy, in.n) };
	struct list_item item;
	bool first = true;
	int rc;

	while ((rc = list_next(&l, &item)) != LIST_END) {
		if (rc == 0 && item.addr.nlocal + item.addr.ndomain == 0)
			continue;
		if (!first)
			buf_putc(out, '|');
		first = false;
		if (rc == 0)
			addr_put(out, &item.addr);
		else
			buf_putc(out, '!');
	}
	free(copy);
}

int main(void)
{
	char text[2048];

	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct buf b = BUF(text);

		run(rows[i].in, &b);
		tap_same(buf_str(&b), rows[i].out, "row %zu", i);
		/* nothing cut off is read beyond its end */
		for (size_t n = 0; n < rows[i].in.n; n++) {
			struct buf other = BUF(text);

			run(str_head(rows[i].in, n), &other);
		}
	}
	for (size_t i = 0; i < TAP_N(ends); i++) {
		struct list l = { .text = ends[i].in };
		struct list_item item;
		struct buf b = BUF(text);

		if (list_next(&l, &item) == 0) {
			buf_put(&b, str_head(ends[i].in, item.end));
			buf_putc(&b, '*');
			buf_put(&b, str_skip(ends[i].in, item.end));
		}
		tap_same(buf_str(&b), ends[i].out, "end of row %zu", i);
	}
	return tap_done();
}
