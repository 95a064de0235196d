/* The text of forward(5), and what its paths mean. */
#include "tests/unit/tap.h"

#include "mail/dotforward.h"

/* clang-format off */
/* Targets as "KIND text|", "!|" for what is bad. */
static const struct {
	struct str text, targets;
} lists[] = {
	{ S(""), S("") },
	{ S("# comment\n\n"), S("") },
	{ S("bob\ncarol, dave # x\n"), S("U bob|U carol|U dave|") },
	{ S("\\bob, bob@away.example"), S("F bob|A bob@away.example|") },
	{ S("a/b@c.example"), S("A a/b@c.example|") },
	{ S("/home/a/x/"), S("P /home/a/x/|") },
	{ S("~/x, ./y/"), S("P ~/x|P ./y/|") },
	{ S("~/x@y, ./x@y/"), S("P ~/x@y|P ./x@y/|") },
	{ S("Mail/lists/"), S("P Mail/lists/|") },
	{ S("\"./a b/\""), S("P ./a b/|") },
	{ S("~bob/Mail/"), S("!|") },
	{ S("~"), S("U ~|") },
	{ S("|cat, ~bob/x"), S("C cat|!|") },
	{ S("\"|a, b\""), S("C a, b|") },
	{ S(":include:/x"), S("I /x|") },
	{ S("a b\nc"), S("!|U c|") },
	{ S("\"a\nb"), S("!|U b|") },
	{ S("a\0b"), S("!|") },
};

static const struct {
	struct str home, path, want;	/* empty: bad */
} paths[] = {
	{ S("/h/a"), S("~/x"), S("mbox /h/a/x") },
	{ S("/h/a"), S("~/x/"), S("maildir /h/a/x") },
	{ S("/h/a"), S("./x/y/"), S("maildir /h/a/x/y") },
	{ S("/h/a"), S("x/y"), S("mbox /h/a/x/y") },
	{ S("/h/a"), S("/h/a/x"), S("mbox /h/a/x") },
	{ S("/h/a"), S("/h/a//x//y/"), S("maildir /h/a/x/y") },
	{ S("/h/a/"), S("/h/a/x/"), S("maildir /h/a/x") },
	{ S("/h/a"), S("./.x/./y"), S("mbox /h/a/.x/y") },
	{ S("/h/a"), S("..x/y..."), S("mbox /h/a/..x/y...") },
	{ S("/"), S("/x"), S("mbox /x") },
	{ S("/h/a"), S("/h/a"), S("") },
	{ S("/h/a"), S("/h/a/"), S("") },
	{ S("/h/a"), S("~/"), S("") },
	{ S("/h/a"), S("./"), S("") },
	{ S("/h/a"), S("~/./"), S("") },
	{ S("/h/a"), S("/h/ab/x"), S("") },
	{ S("/h/a"), S("/h/b/x"), S("") },
	{ S("/h/a"), S("/h"), S("") },
	{ S("/h/a"), S("/etc/passwd"), S("") },
	{ S("/h/a"), S("~/../x"), S("") },
	{ S("/h/a"), S("x/../y"), S("") },
	{ S("/h/a"), S("x/.."), S("") },
	{ S("/h/a"), S("/h/a/../b/x"), S("") },
	{ S("/h/a"), S(""), S("") },
	{ S("h/a"), S("x"), S("") },
	{ S(""), S("x"), S("") },
};
/* clang-format on */

static char letter(enum alias_kind kind)
{
	switch (kind) {
	case ALIAS_USER:
		return 'U';
	case ALIAS_FINAL:
		return 'F';
	case ALIAS_ADDRESS:
		return 'A';
	case ALIAS_INCLUDE:
		return 'I';
	case ALIAS_COMMAND:
		return 'C';
	case ALIAS_FILE:
		return 'P';
	}
	return '?';
}

static void put_targets(struct str text, struct buf *b)
{
	char room[ALIAS_TARGET_MAX];
	struct alias_target t;
	int rc;

	while ((rc = dotforward_next(&text, room, &t)) != ALIAS_END) {
		if (rc == 0) {
			buf_putc(b, letter(t.kind));
			buf_putc(b, ' ');
			buf_put(b, t.text);
		} else {
			buf_putc(b, '!');
		}
		buf_putc(b, '|');
	}
}

static void targets(void)
{
	char text[500];
	size_t wrong = 0, n = 0;

	for (size_t i = 0; i < TAP_N(lists); i++) {
		struct buf b = BUF(text);
		char *exact = tap_exact(lists[i].text);

		put_targets(str_at(exact, lists[i].text.n), &b);
		free(exact);
		tap_same(buf_str(&b), lists[i].targets, "list %zu", i);
	}
	for (size_t i = 0; i < TAP_N(lists); i++)
		for (size_t cut = 0; cut < lists[i].text.n; cut++, n++) {
			struct buf b = BUF(text);
			char *exact = tap_exact(str_head(lists[i].text, cut));

			put_targets(str_at(exact, cut), &b);
			wrong += b.full;
			free(exact);
		}
	tap_ok(wrong == 0, "%zu texts that are cut off", n);
}

static void meanings(void)
{
	char text[100], path[60];

	for (size_t i = 0; i < TAP_N(paths); i++) {
		struct buf b = BUF(text), p = BUF(path);
		enum dotforward_kind kind;

		if (dotforward_path(paths[i].home, paths[i].path, &p, &kind) ==
		    0) {
			buf_putz(&b,
			    kind == DOTFORWARD_MAILDIR ? "maildir " : "mbox ");
			buf_put(&b, buf_str(&p));
		}
		tap_same(buf_str(&b), paths[i].want, "path %zu", i);
	}
}

static void room(void)
{
	char text[9];
	enum dotforward_kind kind;
	struct buf b = BUF(text);

	tap_ok(dotforward_path(STR("/home"), STR("x/y"), &b, &kind) == 0,
	    "a path that just fits");
	b = BUF(text);
	tap_ok(
	    dotforward_path(STR("/home"), STR("x/yz"), &b, &kind) == ALIAS_BAD,
	    "and one that does not");
}

int main(void)
{
	targets();
	meanings();
	room();
	return tap_done();
}
