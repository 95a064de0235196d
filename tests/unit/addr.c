/*
 * Mailboxes and paths: what RFC 5321 4.1.2 and RFC 6531 3.3 let through, what
 * they do not, and every limit of RFC 5321 4.5.3.1.
 */
#include "tests/unit/tap.h"

#include "mail/addr.h"

enum {
	NO = ADDR_NULL_OK,
	BARE = ADDR_BARE_OK,
	U8 = ADDR_UTF8_OK,
	ALL = NO | BARE | U8
};

/* clang-format off */
/* Paths that are good under `flags`, and their parts. */
static const struct {
	struct str in;
	unsigned flags;
	enum addr_host host;
	struct str local, domain, text, rest;
} good[] = {
	{ S("<a@b>"), 0, HOST_NAME, S("a"), S("b"), S("a@b"), S("") },
	{ S("<Alice@Example.COM> SIZE=1"), 0, HOST_NAME, S("Alice"),
	    S("example.com"), S("Alice@example.com"), S(" SIZE=1") },
	{ S("<>"), NO, HOST_NONE, S(""), S(""), S(""), S("") },
	{ S("<> BODY=7BIT"), NO, HOST_NONE, S(""), S(""), S(""),
	    S(" BODY=7BIT") },
	{ S("<Postmaster>"), BARE, HOST_NONE, S("Postmaster"), S(""),
	    S("Postmaster"), S("") },
	{ S("<\"a b\">"), BARE, HOST_NONE, S("a b"), S(""), S("\"a b\""),
	    S("") },
	{ S("<a.b.c@d>"), 0, HOST_NAME, S("a.b.c"), S("d"), S("a.b.c@d"),
	    S("") },
	{ S("<!#$%&'*+-/=?^_`{|}~@d>"), 0, HOST_NAME,
	    S("!#$%&'*+-/=?^_`{|}~"), S("d"), S("!#$%&'*+-/=?^_`{|}~@d"),
	    S("") },
	/* Percent and bang are letters like others. */
	{ S("<user%other@local>"), 0, HOST_NAME, S("user%other"), S("local"),
	    S("user%other@local"), S("") },
	{ S("<host!user@local>"), 0, HOST_NAME, S("host!user"), S("local"),
	    S("host!user@local"), S("") },
	/* Quotes: the same mailbox as without, where they are not needed. */
	{ S("<\"a\"@b>"), 0, HOST_NAME, S("a"), S("b"), S("a@b"), S("") },
	{ S("<\"\\a\\b\"@b>"), 0, HOST_NAME, S("ab"), S("b"), S("ab@b"),
	    S("") },
	{ S("<\"a@b\"@c>"), 0, HOST_NAME, S("a@b"), S("c"), S("\"a@b\"@c"),
	    S("") },
	{ S("<\"a>b\"@c>"), 0, HOST_NAME, S("a>b"), S("c"), S("\"a>b\"@c"),
	    S("") },
	{ S("<\"a\\\"b\\\\c\"@d>"), 0, HOST_NAME, S("a\"b\\c"), S("d"),
	    S("\"a\\\"b\\\\c\"@d"), S("") },
	{ S("<\"\"@b>"), 0, HOST_NAME, S(""), S("b"), S("\"\"@b"), S("") },
	{ S("<\".a\"@b>"), 0, HOST_NAME, S(".a"), S("b"), S("\".a\"@b"),
	    S("") },
	{ S("<\"a.\"@b>"), 0, HOST_NAME, S("a."), S("b"), S("\"a.\"@b"),
	    S("") },
	{ S("<\"a..b\"@b>"), 0, HOST_NAME, S("a..b"), S("b"),
	    S("\"a..b\"@b"), S("") },
	{ S("<\" \"@b>"), 0, HOST_NAME, S(" "), S("b"), S("\" \"@b"), S("") },
	{ S("<\"$(touch x)`;|\"@b>"), 0, HOST_NAME, S("$(touch x)`;|"), S("b"),
	    S("\"$(touch x)`;|\"@b"), S("") },
	/* Literals. */
	{ S("<a@[192.0.2.1]>"), 0, HOST_LITERAL, S("a"), S("[192.0.2.1]"),
	    S("a@[192.0.2.1]"), S("") },
	{ S("<a@[IPv6:2001:DB8::1]>"), 0, HOST_LITERAL, S("a"),
	    S("[ipv6:2001:db8::1]"), S("a@[ipv6:2001:db8::1]"), S("") },
	{ S("<a@[ipv6:::ffff:192.0.2.1]>"), 0, HOST_LITERAL, S("a"),
	    S("[ipv6:::ffff:192.0.2.1]"), S("a@[ipv6:::ffff:192.0.2.1]"),
	    S("") },
	{ S("<a@[X-Tag1:any!thing>]>"), 0, HOST_LITERAL, S("a"),
	    S("[x-tag1:any!thing>]"), S("a@[x-tag1:any!thing>]"), S("") },
	/* Source routes are looked at and forgotten. */
	{ S("<@a:b@c>"), 0, HOST_NAME, S("b"), S("c"), S("b@c"), S("") },
	{ S("<@a.b,@c,@d:e@f>"), 0, HOST_NAME, S("e"), S("f"), S("e@f"),
	    S("") },
	{ S("<@a:postmaster>"), BARE, HOST_NONE, S("postmaster"), S(""),
	    S("postmaster"), S("") },
	/* UTF-8. */
	{ S("<\xc3\xa4@b>"), U8, HOST_NAME, S("\xc3\xa4"), S("b"),
	    S("\xc3\xa4@b"), S("") },
	{ S("<\"\xc3\xa4 b\"@c>"), U8, HOST_NAME, S("\xc3\xa4 b"), S("c"),
	    S("\"\xc3\xa4 b\"@c"), S("") },
	{ S("<a@b\xc3\xbc" "cher.de>"), U8, HOST_NAME, S("a"),
	    S("xn--bcher-kva.de"), S("a@xn--bcher-kva.de"), S("") },
	{ S("<a\xf0\x9f\x98\x80.b@c>"), U8, HOST_NAME,
	    S("a\xf0\x9f\x98\x80.b"), S("c"), S("a\xf0\x9f\x98\x80.b@c"),
	    S("") },
	{ S("<@b\xc3\xbc" "cher.de:a@c>"), U8, HOST_NAME, S("a"), S("c"),
	    S("a@c"), S("") },
	{ S("<a@xn--bcher-kva.de>"), 0, HOST_NAME, S("a"),
	    S("xn--bcher-kva.de"), S("a@xn--bcher-kva.de"), S("") },
};

/* Paths that are no path under `flags`, whatever follows. */
static const struct {
	struct str in;
	unsigned flags;
	int rc;
} bad[] = {
	{ S(""), ALL, ADDR_BAD },
	{ S("a@b"), ALL, ADDR_BAD },
	{ S("<"), ALL, ADDR_BAD },
	{ S("<>"), BARE | U8, ADDR_BAD },
	{ S("< >"), ALL, ADDR_BAD },
	{ S(" <a@b>"), ALL, ADDR_BAD },
	{ S("<a@b"), ALL, ADDR_BAD },
	{ S("<a@b >"), ALL, ADDR_BAD },
	{ S("< a@b>"), ALL, ADDR_BAD },
	{ S("<<a@b>>"), ALL, ADDR_BAD },
	{ S("<a b@c>"), ALL, ADDR_BAD },
	{ S("<a@>"), ALL, ADDR_BAD },
	{ S("<@>"), ALL, ADDR_BAD },
	{ S("<@b>"), ALL, ADDR_BAD },
	{ S("<a>"), NO | U8, ADDR_BAD },
	{ S("<\"\">"), ALL, ADDR_BAD },
	{ S("<a@b@c>"), ALL, ADDR_BAD },
	{ S("<.a@b>"), ALL, ADDR_BAD },
	{ S("<a.@b>"), ALL, ADDR_BAD },
	{ S("<a..b@c>"), ALL, ADDR_BAD },
	{ S("<.>"), ALL, ADDR_BAD },
	{ S("<a@.b>"), ALL, ADDR_BAD },
	{ S("<a@b.>"), ALL, ADDR_BAD },
	{ S("<a@b..c>"), ALL, ADDR_BAD },
	{ S("<a@-b>"), ALL, ADDR_BAD },
	{ S("<a@b-.c>"), ALL, ADDR_BAD },
	{ S("<a@b,c@d>"), ALL, ADDR_BAD },
	{ S("<a,b@c>"), ALL, ADDR_BAD },
	{ S("<a;b@c>"), ALL, ADDR_BAD },
	{ S("<a:b@c>"), ALL, ADDR_BAD },
	{ S("<a(b)@c>"), ALL, ADDR_BAD },
	{ S("<a\\@b@c>"), ALL, ADDR_BAD },
	{ S("<a\"b\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\"b@c>"), ALL, ADDR_BAD },
	{ S("<\"a\".b@c>"), ALL, ADDR_BAD },
	{ S("<\"a@b>"), ALL, ADDR_BAD },
	{ S("<\"a\\"), ALL, ADDR_BAD },
	{ S("<\"a\\\""), ALL, ADDR_BAD },
	{ S("<\""), ALL, ADDR_BAD },
	/* Octets that no command holds. */
	{ S("<a\0@b>"), ALL, ADDR_BAD },
	{ S("<a@b\0>"), ALL, ADDR_BAD },
	{ S("<\"a\0\"@b>"), ALL, ADDR_BAD },
	{ S("<\"a\nb\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\\\nb\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\rb\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\tb\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\x7f\"@c>"), ALL, ADDR_BAD },
	{ S("<\"a\\\x7f\"@c>"), ALL, ADDR_BAD },
	/* Literals that are none. */
	{ S("<a@[]>"), ALL, ADDR_BAD },
	{ S("<a@[1.2.3]>"), ALL, ADDR_BAD },
	{ S("<a@[1.2.3.4>"), ALL, ADDR_BAD },
	{ S("<a@[1.2.3.256]>"), ALL, ADDR_BAD },
	{ S("<a@[1.2.3.4]x>"), ALL, ADDR_BAD },
	{ S("<a@[1.2.3.4].b>"), ALL, ADDR_BAD },
	{ S("<a@[::1]>"), ALL, ADDR_BAD },
	{ S("<a@[IPv6:]>"), ALL, ADDR_BAD },
	{ S("<a@[IPv6:1.2.3.4]>"), ALL, ADDR_BAD },
	{ S("<a@[IPv6:g::]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:]>"), ALL, ADDR_BAD },
	{ S("<a@[:x]>"), ALL, ADDR_BAD },
	{ S("<a@[tag-:x]>"), ALL, ADDR_BAD },
	{ S("<a@[t_g:x]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:x y]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:x\\]y]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:x[y]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:\xc3\xa4]>"), ALL, ADDR_BAD },
	{ S("<a@[tag:x\0]>"), ALL, ADDR_BAD },
	/* Routes that are none. */
	{ S("<@a>"), ALL, ADDR_BAD },
	{ S("<@a:>"), ALL, ADDR_BAD },
	{ S("<@a,b:c@d>"), ALL, ADDR_BAD },
	{ S("<@a,:c@d>"), ALL, ADDR_BAD },
	{ S("<@a,@b,c@d>"), ALL, ADDR_BAD },
	{ S("<@[1.2.3.4]:c@d>"), ALL, ADDR_BAD },
	{ S("<@a..b:c@d>"), ALL, ADDR_BAD },
	{ S("<@:c@d>"), ALL, ADDR_BAD },
	/* UTF-8 that is none, or that is not to be seen. */
	{ S("<\xe4@b>"), ALL, ADDR_BAD },
	{ S("<\"\xe4\"@b>"), ALL, ADDR_BAD },
	{ S("<\xc0\xaf@b>"), ALL, ADDR_BAD },
	{ S("<\xed\xa0\x80@b>"), ALL, ADDR_BAD },
	{ S("<a\xc2\x85@b>"), ALL, ADDR_BAD },
	{ S("<a\xc2\x9f@b>"), ALL, ADDR_BAD },
	{ S("<a\xe2\x80\xa8@b>"), ALL, ADDR_BAD },
	{ S("<a\xe2\x80\xa9@b>"), ALL, ADDR_BAD },
	{ S("<\"\\\xc3\xa4\"@b>"), ALL, ADDR_BAD },
	{ S("<a@b\xc3>"), ALL, ADDR_BAD },
	{ S("<a@\xe3\x80\x82>"), ALL, ADDR_BAD },
	{ S("<a@\xc3\x9c.de>"), ALL, ADDR_BAD },
	{ S("<a@b\xc3>"), NO | BARE, ADDR_BAD },
	{ S("<@\xe4:a@b>"), NO | BARE, ADDR_BAD },
	/* UTF-8 without SMTPUTF8. */
	{ S("<\xc3\xa4@b>"), NO | BARE, ADDR_UTF8 },
	{ S("<\"\xc3\xa4\"@b>"), NO | BARE, ADDR_UTF8 },
	{ S("<a@b\xc3\xbc" "cher.de>"), NO | BARE, ADDR_UTF8 },
	{ S("<@\xc3\xbc:a@b>"), NO | BARE, ADDR_UTF8 },
};
/* clang-format on */

static bool same_parts(const struct addr *a, size_t i)
{
	return a->host == good[i].host &&
	       str_eq(addr_local(a), good[i].local) &&
	       str_eq(addr_domain(a), good[i].domain);
}

/* What is printed is parsed again, as a mailbox and as a path. */
static bool again(const struct addr *a, struct str text)
{
	char room[ADDR_TEXT_MAX + 2];
	struct buf b = BUF(room);
	struct addr m, p;
	struct str path;

	buf_putc(&b, '<');
	buf_put(&b, text);
	buf_putc(&b, '>');
	path = buf_str(&b);
	return addr_mailbox(text, ALL, &m) == 0 && addr_eq(a, &m) &&
	       addr_path(&path, ALL, &p) == 0 && addr_eq(a, &p) && path.n == 0;
}

static void good_path(size_t i)
{
	char *exact = tap_exact(good[i].in), room[ADDR_TEXT_MAX];
	struct str s = str_at(exact, good[i].in.n);
	struct buf b = BUF(room);
	bool utf8 = false;
	struct addr a;

	/* A route is forgotten whole. */
	for (size_t k = str_starts(s, STR("<@")) ? str_find(s, ':') : 0;
	     k < s.n; k++)
		utf8 |= (s.p[k] & 0x80) != 0;
	if (!tap_ok(addr_path(&s, good[i].flags, &a) == 0, "path %zu", i)) {
		tap_show("in", good[i].in);
		free(exact);
		return;
	}
	tap_ok(same_parts(&a, i), "its parts, %zu", i);
	tap_ok(a.utf8 == utf8, "its octets, %zu", i);
	tap_same(s, good[i].rest, "what follows, %zu", i);
	addr_put(&b, &a);
	tap_same(buf_str(&b), good[i].text, "as text, %zu", i);
	tap_ok(again(&a, buf_str(&b)), "parsed again, %zu", i);
	free(exact);
}

static void paths(void)
{
	for (size_t i = 0; i < TAP_N(good); i++)
		good_path(i);
	for (size_t i = 0; i < TAP_N(bad); i++) {
		char *exact = tap_exact(bad[i].in);
		struct str s = str_at(exact, bad[i].in.n);
		struct addr a = { .nlocal = 47, .ndomain = 11 };
		int rc = addr_path(&s, bad[i].flags, &a);

		if (!tap_ok(rc == bad[i].rc, "no path %zu: %d", i, rc))
			tap_show("in", bad[i].in);
		tap_ok(s.n == bad[i].in.n && a.nlocal == 47 && a.ndomain == 11,
		    "and nothing taken, %zu", i);
		free(exact);
	}
}

/* Every good path, cut off anywhere before its end, is none. */
static void cut_off(void)
{
	size_t wrong = 0, n = 0;

	for (size_t i = 0; i < TAP_N(good); i++) {
		size_t end = good[i].in.n - good[i].rest.n;

		for (size_t cut = 0; cut < end; cut++) {
			char *exact = tap_exact(str_head(good[i].in, cut));
			struct str s = str_at(exact, cut);
			struct addr a;

			wrong += addr_path(&s, good[i].flags, &a) == 0;
			free(exact);
			n++;
		}
	}
	tap_ok(wrong == 0, "%zu paths that are cut off", n);
}

static void mailboxes(void)
{
	struct addr a, b;

	tap_ok(addr_mailbox(STR("a@b"), 0, &a) == 0, "a mailbox");
	tap_ok(addr_mailbox(STR("a@b "), ALL, &a) == ADDR_BAD, "and a blank");
	tap_ok(addr_mailbox(STR("a@b>"), ALL, &a) == ADDR_BAD, "and more");
	tap_ok(addr_mailbox(STR("@a:b@c"), ALL, &a) == ADDR_BAD, "no route");
	tap_ok(addr_mailbox(STR(""), 0, &a) == ADDR_BAD, "nothing");
	tap_ok(addr_mailbox(STR(""), NO, &a) == 0 && a.nlocal == 0 &&
		   a.host == HOST_NONE,
	    "the null one");
	tap_ok(addr_mailbox(STR("a"), 0, &a) == ADDR_BAD, "bare");
	tap_ok(addr_mailbox(STR("a"), BARE, &a) == 0, "bare where it may be");
	tap_ok(addr_mailbox(STR("\xc3\xa4"), BARE, &a) == ADDR_UTF8, "UTF-8");
	addr_mailbox(STR("\"a\"@B.c"), 0, &a);
	tap_ok(addr_mailbox(STR("a@b.C"), 0, &b) == 0 && addr_eq(&a, &b),
	    "quotes and case of the domain do not differ");
	tap_ok(addr_mailbox(STR("A@b.c"), 0, &b) == 0 && !addr_eq(&a, &b),
	    "case of the local part does");
	tap_ok(addr_mailbox(STR("a@b.d"), 0, &b) == 0 && !addr_eq(&a, &b),
	    "the domain does");
	tap_ok(addr_mailbox(STR("a"), BARE, &b) == 0 && !addr_eq(&a, &b),
	    "no domain does");
}

/* A local part of n octets, quoted or not, at a domain of m. */
static int sized(size_t n, size_t m, bool quotes, bool path)
{
	static char room[4000];
	struct buf b = BUF(room);
	struct addr a;
	struct str s;

	buf_putz(&b, path ? "<" : "");
	buf_putz(&b, quotes ? "\"" : "");
	buf_put(&b, tap_run('x', n));
	buf_putz(&b, quotes ? "\"@" : "@");
	for (size_t i = 0; i < m; i++)
		buf_putc(&b, i % 60 == 59 && i + 1 < m ? '.' : 'd');
	buf_putz(&b, path ? ">" : "");
	s = buf_str(&b);
	return path ? addr_path(&s, 0, &a) : addr_mailbox(s, 0, &a);
}

static void limits(void)
{
	static const struct {
		size_t local, domain;
		bool quotes, path;
		int rc;
	} rows[] = {
		{ 63, 10, false, true, 0 },
		{ 64, 10, false, true, 0 },
		{ 65, 10, false, true, ADDR_LONG },
		{ 63, 10, true, true, 0 },
		{ 64, 10, true, true, 0 },
		{ 65, 10, true, true, ADDR_LONG },
		{ 3000, 10, false, true, ADDR_LONG },
		{ 3000, 10, true, true, ADDR_LONG },
		{ 1, 251, false, true, 0 },
		{ 1, 252, false, true, 0 },
		{ 1, 253, false, true, ADDR_LONG },
		{ 1, 255, false, true, ADDR_LONG },
		{ 1, 256, false, true, ADDR_LONG },
		{ 64, 188, false, true, 0 },
		{ 64, 189, false, true, 0 },
		{ 64, 190, false, true, ADDR_LONG },
		{ 1, 251, false, false, 0 },
		{ 1, 252, false, false, 0 },
		{ 1, 253, false, false, ADDR_LONG },
		{ 64, 187, true, false, 0 },
		{ 64, 188, true, false, ADDR_LONG },
		{ 1, 3000, false, false, ADDR_LONG },
	};

	for (size_t i = 0; i < TAP_N(rows); i++)
		tap_ok(sized(rows[i].local, rows[i].domain, rows[i].quotes,
			   rows[i].path) == rows[i].rc,
		    "local part of %zu, domain of %zu, row %zu", rows[i].local,
		    rows[i].domain, i);
}

/* Other things that have a length: an escaped local part, routes, literals. */
static void more_limits(void)
{
	char room[700], text[ADDR_TEXT_MAX];
	struct buf b = BUF(room), t = BUF(text);
	struct addr a;
	struct str s;

	buf_putz(&b, "<\"");
	for (int i = 0; i < LOCAL_MAX; i++)
		buf_putz(&b, "\\\"");
	buf_putz(&b, "\"@d>");
	s = buf_str(&b);
	tap_ok(addr_path(&s, 0, &a) == 0 && a.nlocal == LOCAL_MAX,
	    "64 escaped quotes");
	addr_put(&t, &a);
	tap_ok(!t.full && t.n == b.n - 2, "are printed escaped");
	for (size_t n = 190; n < 260; n++) {
		buf_clear(&b);
		buf_putz(&b, "<@");
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, i % 60 == 59 && i + 1 < n ? '.' : 'r');
		buf_putz(&b, ":a@b>");
		s = buf_str(&b);
		tap_ok(addr_path(&s, 0, &a) == (b.n <= 256 ? 0 : ADDR_LONG),
		    "a path of %zu with a route", b.n);
	}
	for (size_t n = 245; n < 250; n++) {
		buf_clear(&b);
		buf_putz(&b, "a@[t:");
		buf_put(&b, tap_run('x', n));
		buf_putz(&b, "]");
		tap_ok(addr_mailbox(buf_str(&b), 0, &a) ==
			   (b.n <= 254 ? 0 : ADDR_LONG),
		    "a literal in %zu", b.n);
	}
	buf_clear(&b);
	buf_putz(&b, "a@[t:");
	buf_put(&b, tap_run('x', 260));
	buf_putz(&b, "]");
	tap_ok(addr_mailbox(buf_str(&b), 0, &a) == ADDR_LONG,
	    "a literal that does not fit");
}

static void xtext(void)
{
	static const struct {
		struct str in;
		bool valid;
	} rows[] = {
		{ S(""), true },
		{ S("abc"), true },
		{ S("!~<>,"), true },
		{ S("rfc822;a+40b.c"), true },
		{ S("+2B+3D"), true },
		{ S("+20"), true },
		{ S("+7E"), true },
		{ S("+1F"), false },
		{ S("+7F"), false },
		{ S("+0A"), false },
		{ S("+0D"), false },
		{ S("+00"), false },
		{ S("+80"), false },
		{ S("+FF"), false },
		{ S("+C3"), false },
		{ S("+2b"), false },
		{ S("+"), false },
		{ S("+2"), false },
		{ S("a+"), false },
		{ S("a+4"), false },
		{ S("+4G"), false },
		{ S("+G4"), false },
		{ S("++2B"), false },
		{ S("a=b"), false },
		{ S("a b"), false },
		{ S("a\0"), false },
		{ S("\t"), false },
		{ S("a\x7f"), false },
		{ S("\xc3\xa4"), false },
		{ S("a\n"), false },
	};

	for (size_t i = 0; i < TAP_N(rows); i++) {
		char *exact = tap_exact(rows[i].in);

		tap_ok(
		    xtext_valid(str_at(exact, rows[i].in.n)) == rows[i].valid,
		    "xtext %zu", i);
		free(exact);
	}
}

int main(void)
{
	paths();
	cut_off();
	mailboxes();
	limits();
	more_limits();
	xtext();
	tap_ok(literal_valid(STR("[192.0.2.1]")) && !literal_valid(STR("[")) &&
		   !literal_valid(STR("]")) && !literal_valid(STR("")),
	    "a literal has two brackets");
	return tap_done();
}
