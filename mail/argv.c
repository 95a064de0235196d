/*
 * The words of a command line, octet by octet.
 */
#include "mail/argv.h"

enum state { BETWEEN, PLAIN, ESCAPED, SINGLE, DOUBLE, DOUBLE_ESCAPED };

struct splitter {
	struct argv *w;
	struct buf text;
	enum state state;
	size_t start; /* of the word, in text */
};

/* What a shell would not take as it is, outside of quotes. */
static bool is_special(char c)
{
	static const struct str set = { "|&;<>()$`*?[]{}!", 16 };

	return str_find(set, c) < set.n;
}

/* Within double quotes, too. */
static bool is_special_quoted(char c)
{
	return c == '$' || c == '`';
}

static int begin(struct splitter *s, enum state state)
{
	if (s->state == BETWEEN)
		s->start = s->text.n;
	s->state = state;
	return 0;
}

static int take(struct splitter *s, char c, enum state state)
{
	begin(s, state);
	buf_putc(&s->text, c);
	return s->text.full ? ARGV_LONG : 0;
}

static int end_word(struct splitter *s)
{
	const char *at = s->text.p + s->start;
	size_t n = s->text.n - s->start;

	if (s->state == BETWEEN)
		return 0;
	buf_putc(&s->text, '\0');
	if (s->text.full || s->w->n == ARGV_MAX)
		return ARGV_LONG;
	s->w->v[s->w->n++] = str_at(at, n);
	s->state = BETWEEN;
	return 0;
}

/* Outside of quotes. */
static int step_plain(struct splitter *s, char c)
{
	if (c == ' ' || c == '\t')
		return end_word(s);
	if (c == '\\')
		return begin(s, ESCAPED);
	if (c == '\'')
		return begin(s, SINGLE);
	if (c == '"')
		return begin(s, DOUBLE);
	if (is_special(c) || (s->state == BETWEEN && (c == '#' || c == '~')))
		return ARGV_SHELL;
	return take(s, c, PLAIN);
}

static int step(struct splitter *s, char c)
{
	switch (s->state) {
	case BETWEEN:
	case PLAIN:
		return step_plain(s, c);
	case ESCAPED:
		return take(s, c, PLAIN);
	case SINGLE:
		return c == '\'' ? begin(s, PLAIN) : take(s, c, SINGLE);
	case DOUBLE:
		if (c == '"')
			return begin(s, PLAIN);
		if (c == '\\')
			return begin(s, DOUBLE_ESCAPED);
		return is_special_quoted(c) ? ARGV_SHELL : take(s, c, DOUBLE);
	case DOUBLE_ESCAPED:
		/* Another backslash is one. */
		if (c != '"' && c != '\\' && take(s, '\\', DOUBLE) != 0)
			return ARGV_LONG;
		return take(s, c, DOUBLE);
	}
	return ARGV_QUOTE;
}

int argv_split(struct argv *w, struct str line)
{
	struct splitter s = { .w = w, .state = BETWEEN };
	int rc = 0;

	w->n = 0;
	s.text = BUF(w->text);
	for (size_t i = 0; i < line.n && rc == 0; i++) {
		unsigned char c = (unsigned char)line.p[i];

		rc = (c < ' ' && c != '\t') || c == 0x7f ? ARGV_CONTROL
							 : step(&s, line.p[i]);
	}
	if (rc == 0 && s.state != BETWEEN && s.state != PLAIN)
		rc = ARGV_QUOTE;
	if (rc == 0)
		rc = end_word(&s);
	if (rc == 0 && (w->n == 0 || w->v[0].n == 0))
		rc = ARGV_NONE;
	return rc;
}

const char *argv_error(int answer)
{
	switch ((enum argv_answer)answer) {
	case ARGV_NONE:
		return "no command";
	case ARGV_SHELL:
		return "it needs a shell, and there is none";
	case ARGV_QUOTE:
		return "a quote without its end";
	case ARGV_LONG:
		return "too long";
	case ARGV_CONTROL:
		return "a control character";
	}
	return "not understood";
}
