/* The text of aliases(5): entries, targets, and going on after a mistake. */
#include "tests/unit/tap.h"

#include "mail/alias.h"

/* clang-format off */
/* Entries as "LINE name=targets|" with line ends shown as $, "LINE !|" for
 * what is bad. */
static const struct {
	struct str text, entries;
} files[] = {
	{ S(""), S("") },
	{ S("\n\n  \n\t\n"), S("") },
	{ S("# nothing\n  # here\n"), S("") },
	{ S("a: b"), S("1 a= b|") },
	{ S("a: b\n"), S("1 a= b$|") },
	{ S("a:b\nc:d\n"), S("1 a=b$|2 c=d$|") },
	{ S("a: b\r\nc: d\r\n"), S("1 a= b\r$|2 c= d\r$|") },
	{ S("# x\n\na: b\n"), S("3 a= b$|") },
	{ S("a:\n b,\n\tc\nd: e\n"), S("1 a=$ b,$\tc$|4 d= e$|") },
	{ S("a: b,\n# x\n\n c\nd: e\n"), S("1 a= b,$# x$$ c$|5 d= e$|") },
	{ S("a :b\n"), S("1 a=b$|") },
	{ S("a \t: b\n"), S("1 a= b$|") },
	{ S("a:\n"), S("1 a=$|") },
	{ S("a:"), S("1 a=|") },
	{ S("*: b\n"), S("1 *= b$|") },
	{ S("user+tag: b\n"), S("1 user+tag= b$|") },
	{ S("a@b.c: d\n"), S("1 a@b.c= d$|") },
	{ S("\"a b\": c\n"), S("1 a b= c$|") },
	{ S("\"a:b\" : c\n"), S("1 a:b= c$|") },
	{ S("a#b: c\n"), S("1 a#b= c$|") },
	/* Mistakes, and what comes behind them. */
	{ S("a\nb: c\n"), S("1 !|2 b= c$|") },
	{ S("a b: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S(": b\nd: e\n"), S("1 !|2 d= e$|") },
	{ S(" a: b\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("\"\": b\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("\"a: b\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("\"a\\\"b\": c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("\"a\"b: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("a\"b: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("a\\b: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("a\0: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("a\x01: c\nd: e\n"), S("1 !|2 d= e$|") },
	{ S("a\n b: c\nd: e\n"), S("1 !|3 d= e$|") },
	{ S("\""), S("1 !|") },
	{ S("\"\\"), S("1 !|") },
};

/* Targets as "KIND text|", "!|" for what is bad. */
static const struct {
	struct str text, targets;
} lists[] = {
	{ S(""), S("") },
	{ S(" ,\t,\n,\r\n"), S("") },
	{ S("# nothing"), S("") },
	{ S("bob"), S("U bob|") },
	{ S(" bob \n"), S("U bob|") },
	{ S("bob, carol"), S("U bob|U carol|") },
	{ S("bob,\n\tcarol,\n dave\n"), S("U bob|U carol|U dave|") },
	{ S("bob,,carol,"), S("U bob|U carol|") },
	{ S("bob\ncarol\r\n"), S("U bob|U carol|") },
	{ S("bob # the builder, and\ncarol"), S("U bob|U carol|") },
	{ S("bob,#x,y\n# z\n #q\ncarol"), S("U bob|U carol|") },
	{ S("bo#b"), S("U bo#b|") },
	{ S("\xc3\xa4"), S("U \xc3\xa4|") },
	/* Addresses. */
	{ S("bob@example.com"), S("A bob@example.com|") },
	{ S("bob+tag@example.com,c"), S("A bob+tag@example.com|U c|") },
	{ S("\"bob smith\"@example.com"), S("A \"bob smith\"@example.com|") },
	{ S("\"a,b\"@c, d"), S("A \"a,b\"@c|U d|") },
	{ S("\"a\\\"b\"@c"), S("A \"a\\\"b\"@c|") },
	{ S("\"bob@example.com\""), S("A bob@example.com|") },
	/* A mailbox, no further aliases. */
	{ S("\\bob"), S("F bob|") },
	{ S("\\bob, carol"), S("F bob|U carol|") },
	{ S("\"\\bob\""), S("F bob|") },
	{ S("\"\\\\bob\""), S("U \\bob|") },
	/* Includes, commands, files. */
	{ S(":include:/etc/list"), S("I /etc/list|") },
	{ S(":INCLUDE: /etc/list "), S("I /etc/list|") },
	{ S("\":include:/etc/my list\""), S("I /etc/my list|") },
	{ S("|/bin/x"), S("C /bin/x|") },
	{ S("| /bin/x -y , z"), S("C /bin/x -y|U z|") },
	{ S("\"|/bin/x a, b@c\", d"), S("C /bin/x a, b@c|U d|") },
	{ S("\"|/bin/x \\\"q\\\" \\\\ r\""), S("C /bin/x \"q\" \\ r|") },
	{ S("/dev/null"), S("P /dev/null|") },
	{ S("\"/a b\""), S("P /a b|") },
	{ S("/a@b"), S("P /a@b|") },
	/* In quotes all the same. */
	{ S("\"bob\""), S("U bob|") },
	{ S("\"bob smith\" , c"), S("U bob smith|U c|") },
	{ S("\"a#b\" # c"), S("U a#b|") },
	{ S("\"a\"\n\"b\""), S("U a|U b|") },
	/* Mistakes, and what comes behind them. */
	{ S("a b, c"), S("!|U c|") },
	{ S("bob@x y, c"), S("!|U c|") },
	{ S("Bob <bob@x>, c"), S("!|U c|") },
	{ S("\"a\" b, c"), S("!|U c|") },
	{ S("\"a\"b, c"), S("!|U c|") },
	{ S("\"\", c"), S("!|U c|") },
	{ S("\"a, b\nc"), S("!|U c|") },
	{ S("\"a\\"), S("!|") },
	{ S("\"a\\\nb\", c\n d"), S("!|!|U c|U d|") },
	{ S("\""), S("!|") },
	{ S("a\"b, c"), S("!|U c|") },
	{ S("a\\b, c"), S("!|U c|") },
	{ S("\\, c"), S("!|U c|") },
	{ S("\\a\\b, c"), S("!|U c|") },
	{ S("\\a@b, c"), S("!|U c|") },
	{ S("\\|x, c"), S("!|U c|") },
	{ S("|, c"), S("!|U c|") },
	{ S("| , c"), S("!|U c|") },
	{ S(":include:, c"), S("!|U c|") },
	{ S(":include:list, c"), S("!|U c|") },
	{ S("a\0b, c"), S("!|U c|") },
	{ S("\"a\x01\", c"), S("!|U c|") },
	{ S("\"a\0\"@b, c"), S("!|U c|") },
	{ S("a\x7f, c"), S("!|U c|") },
	{ S("a\tb, c"), S("!|U c|") },
};
/* clang-format on */

static bool within(struct str s, struct str whole)
{
	return s.p >= whole.p && s.p + s.n <= whole.p + whole.n;
}

static void put_shown(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_putc(b, s.p[i] == '\n' ? '$' : s.p[i]);
}

static bool put_entries(struct str text, struct buf *b)
{
	struct str rest = text;
	struct alias_entry e;
	unsigned line = 1;
	bool good = true;
	int rc;

	while ((rc = alias_next(&rest, &line, &e)) != ALIAS_END) {
		buf_u64(b, e.line);
		buf_putc(b, ' ');
		if (rc == ALIAS_BAD)
			buf_putc(b, '!');
		else {
			good &= within(e.name, text) && within(e.targets, text);
			buf_put(b, e.name);
			buf_putc(b, '=');
			put_shown(b, e.targets);
		}
		buf_putc(b, '|');
	}
	return good && rest.n == 0;
}

static void entries(void)
{
	char room[500];

	for (size_t i = 0; i < TAP_N(files); i++) {
		char *exact = tap_exact(files[i].text);
		struct buf b = BUF(room);

		tap_ok(put_entries(str_at(exact, files[i].text.n), &b),
		    "file %zu is read to its end", i);
		tap_same(buf_str(&b), files[i].entries, "its entries, %zu", i);
		free(exact);
	}
}

static void put_targets(struct str text, struct buf *b)
{
	static const char kinds[] = { [ALIAS_USER] = 'U',
		[ALIAS_FINAL] = 'F',
		[ALIAS_ADDRESS] = 'A',
		[ALIAS_INCLUDE] = 'I',
		[ALIAS_COMMAND] = 'C',
		[ALIAS_FILE] = 'P' };
	char *room = malloc(ALIAS_TARGET_MAX);
	struct alias_target t;
	int rc;

	while ((rc = alias_target_next(&text, room, &t)) != ALIAS_END) {
		if (rc == ALIAS_BAD)
			buf_putc(b, '!');
		else {
			buf_putc(b, kinds[t.kind]);
			buf_putc(b, ' ');
			buf_put(b, t.text);
		}
		buf_putc(b, '|');
	}
	free(room);
}

static void targets(void)
{
	char room[500];

	for (size_t i = 0; i < TAP_N(lists); i++) {
		char *exact = tap_exact(lists[i].text);
		struct buf b = BUF(room);

		put_targets(str_at(exact, lists[i].text.n), &b);
		tap_same(buf_str(&b), lists[i].targets, "list %zu", i);
		free(exact);
	}
}

/* A target of n octets: as it is, in quotes, in quotes with an escape. */
static void lengths(void)
{
	char text[ALIAS_TARGET_MAX + 10], room[ALIAS_TARGET_MAX];

	for (size_t n = ALIAS_TARGET_MAX - 1; n <= ALIAS_TARGET_MAX + 1; n++) {
		for (int form = 0; form < 3; form++) {
			struct buf b = BUF(text);
			struct alias_target t;
			struct str s;
			int rc;

			buf_putz(&b, form > 0 ? "\"" : "");
			buf_put(&b, tap_run('x', n - 1));
			buf_putz(&b, form > 1 ? "\\" : "");
			buf_putz(&b, form > 0 ? "x\"" : "x");
			s = buf_str(&b);
			rc = alias_target_next(&s, room, &t);
			tap_ok(rc == (n > ALIAS_TARGET_MAX ? ALIAS_BAD : 0) &&
				   (rc != 0 || t.text.n == n),
			    "a target of %zu octets, form %d", n, form);
			tap_ok(s.n == 0, "is taken whole");
		}
	}
}

/* Every text here, cut off anywhere, is read to its end. */
static void cut_off(void)
{
	char room[500];
	size_t wrong = 0, n = 0;

	for (size_t i = 0; i < TAP_N(files); i++)
		for (size_t cut = 0; cut < files[i].text.n; cut++) {
			struct str text = str_head(files[i].text, cut);
			char *exact = tap_exact(text);
			struct buf b = BUF(room);

			wrong += !put_entries(str_at(exact, cut), &b);
			free(exact);
			n++;
		}
	for (size_t i = 0; i < TAP_N(lists); i++)
		for (size_t cut = 0; cut < lists[i].text.n; cut++) {
			char *exact = tap_exact(str_head(lists[i].text, cut));
			struct buf b = BUF(room);

			put_targets(str_at(exact, cut), &b);
			wrong += b.full;
			free(exact);
			n++;
		}
	tap_ok(wrong == 0, "%zu texts that are cut off", n);
}

int main(void)
{
	struct alias_entry e = { .name = STR("Postmaster") };

	entries();
	targets();
	lengths();
	cut_off();
	tap_ok(alias_is(&e, STR("postMASTER")), "names ignore case");
	tap_ok(!alias_is(&e, STR("postmaste")), "and are compared whole");
	return tap_done();
}
