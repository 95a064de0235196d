/* The words of a command line, and what is refused. */
#include "tests/unit/tap.h"

#include "mail/argv.h"

/* clang-format off */
/* The words with | behind each, or what is wrong. */
static const struct {
	struct str line;
	int answer;
	struct str words;
} rows[] = {
	{ S("a"), 0, S("a|") },
	{ S("  a \t b  "), 0, S("a|b|") },
	{ S("/usr/bin/procmail -f- -a x"), 0, S("/usr/bin/procmail|-f-|-a|x|") },
	{ S("a ''"), 0, S("a||") },
	{ S("a \"\" 'b'"), 0, S("a||b|") },
	{ S("a'b c'd"), 0, S("ab cd|") },
	{ S("a\"b c\"'d e'"), 0, S("ab cd e|") },
	{ S("a '\"$x`;|\\'"), 0, S("a|\"$x`;|\\|") },
	{ S("a \"b\\\"c\\\\d\\e'\""), 0, S("a|b\"c\\d\\e'|") },
	{ S("a \\$x \\| b\\ c \\\\"), 0, S("a|$x|||b c|\\|") },
	{ S("a x=y a#b c~ %s @%"), 0, S("a|x=y|a#b|c~|%s|@%|") },
	{ S("\xc3\xa4 \xff"), 0, S("\xc3\xa4|\xff|") },
	{ S(""), ARGV_NONE, S("") },
	{ S(" \t"), ARGV_NONE, S("") },
	{ S("'' a"), ARGV_NONE, S("|a|") },
	{ S("a 'b"), ARGV_QUOTE, S("a|") },
	{ S("a \"b"), ARGV_QUOTE, S("a|") },
	{ S("a \"b\\"), ARGV_QUOTE, S("a|") },
	{ S("a \\"), ARGV_QUOTE, S("a|") },
	{ S("a|b"), ARGV_SHELL, S("") },
	{ S("a & b"), ARGV_SHELL, S("a|") },
	{ S("a; b"), ARGV_SHELL, S("") },
	{ S("a <b"), ARGV_SHELL, S("a|") },
	{ S("a >b"), ARGV_SHELL, S("a|") },
	{ S("(a)"), ARGV_SHELL, S("") },
	{ S("a $b"), ARGV_SHELL, S("a|") },
	{ S("a \"$b\""), ARGV_SHELL, S("a|") },
	{ S("a \"`b`\""), ARGV_SHELL, S("a|") },
	{ S("a `b`"), ARGV_SHELL, S("a|") },
	{ S("a *"), ARGV_SHELL, S("a|") },
	{ S("a b?"), ARGV_SHELL, S("a|") },
	{ S("a [b]"), ARGV_SHELL, S("a|") },
	{ S("a {b,c}"), ARGV_SHELL, S("a|") },
	{ S("! a"), ARGV_SHELL, S("") },
	{ S("a #b"), ARGV_SHELL, S("a|") },
	{ S("~/a"), ARGV_SHELL, S("") },
	{ S("a\nb"), ARGV_CONTROL, S("") },
	{ S("a '\n'"), ARGV_CONTROL, S("a|") },
	{ S("a\0b"), ARGV_CONTROL, S("") },
	{ S("a \x7f"), ARGV_CONTROL, S("a|") },
};
/* clang-format on */

static void put(const struct argv *w, struct buf *b)
{
	for (unsigned i = 0; i < w->n; i++) {
		buf_put(b, w->v[i]);
		buf_putc(b, '|');
	}
}

static void table(void)
{
	static struct argv w;
	char text[200];
	size_t wrong = 0, n = 0;

	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct buf b = BUF(text);
		char *exact = tap_exact(rows[i].line);
		int rc = argv_split(&w, str_at(exact, rows[i].line.n));

		free(exact);
		put(&w, &b);
		tap_ok(rc == rows[i].answer && *argv_error(rc) != '\0',
		    "answer %zu", i);
		tap_same(buf_str(&b), rows[i].words, "words %zu", i);
		for (unsigned k = 0; k < w.n; k++, n++)
			wrong += w.v[k].p[w.v[k].n] != '\0';
	}
	tap_ok(wrong == 0, "%zu words with a NUL behind them", n);
}

static void limits(void)
{
	static struct argv w;
	char text[2 * ARGV_TEXT_MAX] = "";
	struct str many = str_at(text, sizeof(text));

	memset(text, 'x', sizeof(text));
	tap_ok(argv_split(&w, str_head(many, ARGV_TEXT_MAX - 1)) == 0 &&
		   w.v[0].n == ARGV_TEXT_MAX - 1,
	    "a word that just fits");
	tap_ok(argv_split(&w, str_head(many, ARGV_TEXT_MAX)) == ARGV_LONG,
	    "one that does not");
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = ' ';
	tap_ok(argv_split(&w, str_head(many, 2 * ARGV_MAX)) == 0 &&
		   w.n == ARGV_MAX,
	    "as many as there may be");
	tap_ok(argv_split(&w, str_head(many, 2 * ARGV_MAX + 1)) == ARGV_LONG,
	    "one more");
	memset(text, '\\', sizeof(text));
	tap_ok(argv_split(&w, many) == ARGV_LONG, "too many backslashes");
}

int main(void)
{
	table();
	limits();
	return tap_done();
}
