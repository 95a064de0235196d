/*
 * A list is cut at its commas, and at the colons and semicolons of groups.  In
 * a piece, what stands in brackets is the address; without brackets all words
 * of it are, whatever they are then worth.
 */
#include "mail/mailboxes.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind a quoted string or a domain literal that begins at i; text.n + 1
 * when it does not end. */
static size_t skip_quoted(struct str text, size_t i, char close)
{
	for (i++; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == close)
			return i + 1;
	}
	return text.n + 1;
}

/* Behind a comment, which may hold others. */
static size_t skip_comment(struct str text, size_t i)
{
	unsigned depth = 0;

	for (; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return text.n + 1;
}

/* Behind "=?charset?encoding?text?=" at i; i when there is none. */
static size_t skip_encoded(struct str text, size_t i)
{
	unsigned marks = 0;

	if (!str_starts(str_skip(text, i), STR("=?")))
		return i;
	for (size_t k = i + 2; k + 1 < text.n && text.p[k] != '\n'; k++) {
		if (text.p[k] != '?')
			continue;
		if (++marks > 2 && text.p[k + 1] == '=')
			return k + 2;
	}
	return i;
}

static size_t skip_brackets(struct str text, size_t i)
{
	while (i < text.n && text.p[i] != '>')
		i = text.p[i] == '"' ? skip_quoted(text, i, '"') : i + 1;
	return i < text.n ? i + 1 : text.n + 1;
}

/* Behind the word that begins at i. */
static size_t skip_word(struct str text, size_t i)
{
	size_t behind = skip_encoded(text, i);

	if (behind > i)
		return behind;
	if (text.p[i] == '"')
		return skip_quoted(text, i, '"');
	return text.p[i] == '[' ? skip_quoted(text, i, ']') : i + 1;
}

static struct mailbox in_brackets(
    const struct mailboxes *m, size_t outer, size_t beyond, bool named)
{
	struct mailbox b = { outer + 1, beyond - 1, outer, beyond, named };

	while (b.at < b.end && is_blank(m->text.p[b.at]))
		b.at++;
	while (b.at < b.end && is_blank(m->text.p[b.end - 1]))
		b.end--;
	return b;
}

/* One piece, up to what ends it, which is passed.  True when there is
 * anything in it that may be an address. */
static bool take_piece(struct mailboxes *m, struct mailbox *b)
{
	struct str text = m->text;
	bool words = false, brackets = false;
	size_t i = m->next;

	*b = (struct mailbox){ 0 };
	while (i < text.n) {
		char c = text.p[i];
		size_t at = i;

		if (c == ',' || c == ';' || c == ':')
			break;
		if (is_blank(c)) {
			i++;
		} else if (c == '(') {
			i = skip_comment(text, i);
		} else if (c == '<') {
			i = skip_brackets(text, i);
			if (i <= text.n && !brackets)
				*b = in_brackets(m, at, i, words);
			brackets = true;
		} else {
			i = skip_word(text, i);
			if (!brackets) {
				b->at = b->outer = words ? b->at : at;
				b->end = b->beyond = i;
			}
			words = true;
		}
	}
	m->next = i < text.n ? i + 1 : i;
	/* What stands before a colon is the name of a group. */
	return (words || brackets) && (i >= text.n || text.p[i] != ':');
}

int mailboxes_next(struct mailboxes *m, struct mailbox *b)
{
	while (m->next < m->text.n) {
		bool any = take_piece(m, b);

		if (m->next > m->text.n)
			return MAILBOXES_BAD;
		if (any)
			return 0;
	}
	return MAILBOXES_END;
}
