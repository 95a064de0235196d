/*
 * The text of aliases(5), read as it lies there.
 *
 * An entry is a logical line: lines that begin with a blank continue it, and
 * blank lines and comments within it do not end it.  Targets are separated by
 * commas and line ends, quoted with "..." in which \ takes the next octet as
 * it is.  A # where a target could begin, or behind a blank, begins a comment.
 */
#include "mail/alias.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && c != '\t') || u == 0x7f;
}

static struct str trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The length of the first line of s, with its line end. */
static size_t line_length(struct str s)
{
	size_t n = str_find(s, '\n');

	return n < s.n ? n + 1 : n;
}

/* Nothing but blanks, or a comment. */
static bool is_empty_line(struct str text)
{
	struct str line = trim(str_head(text, str_find(text, '\n')));

	return line.n == 0 || line.p[0] == '#';
}

/* Takes the first line off; what it counts as is up to the caller. */
static void skip_line(struct str *text, unsigned *line)
{
	*text = str_skip(*text, line_length(*text));
	(*line)++;
}

/* Takes a logical line off the front. */
static struct str logical_line(struct str *text, unsigned *line)
{
	struct str whole = *text;

	do
		skip_line(text, line);
	while (text->n > 0 && (is_blank(text->p[0]) || is_empty_line(*text)));
	return str_head(whole, whole.n - text->n);
}

/* The octets of a quoted text with both quotes; 0 when its line ends first. */
static size_t quoted_length(struct str s)
{
	size_t n = 1;

	while (n < s.n && s.p[n] != '\n' && s.p[n] != '"')
		n +=
		    s.p[n] == '\\' && s.n - n > 1 && s.p[n + 1] != '\n' ? 2 : 1;
	return n < s.n && s.p[n] == '"' ? n + 1 : 0;
}

/* A name off the front of an entry: a word, or quoted text without escapes. */
static bool entry_name(struct str *s, struct str *name)
{
	size_t n;

	if (s->n > 0 && s->p[0] == '"') {
		n = quoted_length(*s);
		if (n <= 2)
			return false;
		*name = str_at(s->p + 1, n - 2);
		*s = str_skip(*s, n);
		return str_find(*name, '\\') == name->n;
	}
	for (n = 0; n < s->n; n++)
		if (s->p[n] == ':' || s->p[n] == '"' || s->p[n] == '\\' ||
		    is_blank(s->p[n]) || is_control(s->p[n]))
			break;
	*name = str_head(*s, n);
	*s = str_skip(*s, n);
	return n > 0;
}

int alias_next(struct str *text, unsigned *line, struct alias_entry *e)
{
	struct str whole;

	while (text->n > 0 && is_empty_line(*text))
		skip_line(text, line);
	e->line = *line;
	e->name = e->targets = str_head(*text, 0);
	if (text->n == 0)
		return ALIAS_END;
	whole = logical_line(text, line);
	if (!entry_name(&whole, &e->name))
		return ALIAS_BAD;
	while (whole.n > 0 && is_blank(whole.p[0]))
		whole = str_skip(whole, 1);
	if (whole.n == 0 || whole.p[0] != ':')
		return ALIAS_BAD;
	e->targets = str_skip(whole, 1);
	return 0;
}

bool alias_is(const struct alias_entry *e, struct str name)
{
	return str_eqcase(e->name, name);
}

/* Blanks, commas, line ends and comments. */
static void skip_separators(struct str *s)
{
	while (s->n > 0) {
		if (s->p[0] == '#')
			*s = str_skip(*s, line_length(*s));
		else if (is_blank(s->p[0]) || s->p[0] == ',' || s->p[0] == '\n')
			*s = str_skip(*s, 1);
		else
			break;
	}
}

/* The length of an unquoted target: up to a comma, line end or comment. */
static size_t plain_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ',' && s.p[n] != '\n' &&
	       (s.p[n] != '#' || n == 0 || !is_blank(s.p[n - 1])))
		n++;
	return n;
}

/* What the octets of a target say that it is; *t as far as it is known. */
static int classify(struct str text, struct alias_target *t)
{
	static const struct str include = { ":include:", 9 };

	for (size_t i = 0; i < text.n; i++)
		if (is_control(text.p[i]))
			return ALIAS_BAD;
	t->kind = str_find(text, '@') < text.n ? ALIAS_ADDRESS : ALIAS_USER;
	if (str_startscase(text, include)) {
		t->kind = ALIAS_INCLUDE;
		text = trim(str_skip(text, include.n));
		if (text.n == 0 || text.p[0] != '/')
			return ALIAS_BAD;
	} else if (str_starts(text, STR("|"))) {
		t->kind = ALIAS_COMMAND;
		text = trim(str_skip(text, 1));
	} else if (str_starts(text, STR("/")))
		t->kind = ALIAS_FILE;
	t->text = text;
	return text.n == 0 || text.n > ALIAS_TARGET_MAX ? ALIAS_BAD : 0;
}

static int plain_target(struct str text, struct alias_target *t)
{
	bool final = str_starts(text, STR("\\"));
	int rc = classify(str_skip(text, final), t);

	if (rc != 0)
		return rc;
	if (final && t->kind == ALIAS_USER)
		t->kind = ALIAS_FINAL;
	else if (final)
		return ALIAS_BAD;
	if (t->kind != ALIAS_USER && t->kind != ALIAS_FINAL &&
	    t->kind != ALIAS_ADDRESS)
		return 0;
	/* Names and addresses are one word; what else there is needs quotes. */
	for (size_t i = 0; i < t->text.n; i++)
		if (is_blank(t->text.p[i]) || t->text.p[i] == '"' ||
		    t->text.p[i] == '\\')
			return ALIAS_BAD;
	return 0;
}

/* The inside of quotes into room; false when it does not fit. */
static bool unquote(struct str inside, char *room, struct str *out)
{
	struct buf b = { room, 0, ALIAS_TARGET_MAX, false };

	*out = inside;
	if (str_find(inside, '\\') == inside.n)
		return true;
	for (size_t i = 0; i < inside.n; i++) {
		if (inside.p[i] == '\\' && i + 1 < inside.n)
			i++;
		buf_putc(&b, inside.p[i]);
	}
	*out = buf_str(&b);
	return !b.full;
}

static int quoted_target(struct str inside, char *room, struct alias_target *t)
{
	/* "\name" is meant as \name: nobody escapes a letter. */
	bool final = inside.n > 1 && inside.p[0] == '\\' &&
		     (str_isalpha(inside.p[1]) || str_isdigit(inside.p[1]));
	struct str text;
	int rc;

	if (!unquote(inside, room, &text))
		return ALIAS_BAD;
	rc = classify(text, t);
	if (rc == 0 && final && t->kind == ALIAS_USER)
		t->kind = ALIAS_FINAL;
	return rc;
}

int alias_target_next(struct str *targets, char *room, struct alias_target *t)
{
	struct str text, whole;
	size_t n = 0;

	skip_separators(targets);
	whole = *targets;
	if (whole.n == 0)
		return ALIAS_END;
	if (whole.p[0] == '"') {
		n = quoted_length(whole);
		if (n == 0) {
			*targets = str_skip(whole, line_length(whole));
			return ALIAS_BAD;
		}
	}
	*targets = str_skip(whole, n + plain_length(str_skip(whole, n)));
	text = trim(str_head(whole, whole.n - targets->n));
	if (n == 0)
		return plain_target(text, t);
	if (n == text.n)
		return quoted_target(str_at(text.p + 1, n - 2), room, t);
	/* A local part in quotes, whose quotes belong to the address. */
	if (text.p[n] != '@')
		return ALIAS_BAD;
	return classify(text, t);
}
