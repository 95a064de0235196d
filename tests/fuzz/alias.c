/*
 * aliases(5): every text is read to its end, line by line and none twice;
 * names and targets are views into it; a target put into quotes is the same
 * target.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/alias.h"

static bool within(struct str s, struct str whole)
{
	return s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n);
}

static struct str mark(enum alias_kind kind)
{
	switch (kind) {
	case ALIAS_INCLUDE:
		return STR(":include:");
	case ALIAS_COMMAND:
		return STR("|");
	case ALIAS_USER:
	case ALIAS_FINAL:
	case ALIAS_ADDRESS:
	case ALIAS_FILE:
		break;
	}
	return STR("");
}

/* "mark text", with its quotes and backslashes escaped. */
static void quote(struct buf *b, const struct alias_target *t)
{
	buf_putc(b, '"');
	buf_put(b, mark(t->kind));
	for (size_t i = 0; i < t->text.n; i++) {
		if (t->text.p[i] == '"' || t->text.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, t->text.p[i]);
	}
	buf_putc(b, '"');
}

static void again(const struct alias_target *t)
{
	char text[2 * ALIAS_TARGET_MAX + 20], room[ALIAS_TARGET_MAX];
	struct buf b = BUF(text);
	struct alias_target u;
	struct str s;

	/* The mark counts, too; an address may have quotes of its own. */
	if (t->text.n + mark(t->kind).n > ALIAS_TARGET_MAX ||
	    t->kind == ALIAS_FINAL || t->kind == ALIAS_ADDRESS)
		return;
	quote(&b, t);
	s = buf_str(&b);
	HOLDS(!b.full && alias_target_next(&s, room, &u) == 0);
	HOLDS(s.n == 0 && u.kind == t->kind && str_eq(u.text, t->text));
}

static void targets(struct str s)
{
	char *room = memset(fuzz_room(ALIAS_TARGET_MAX), 0, ALIAS_TARGET_MAX);
	struct str whole = s, kept = str_at(room, ALIAS_TARGET_MAX);
	struct alias_target t;

	for (;;) {
		size_t before = s.n;
		int rc = alias_target_next(&s, room, &t);

		HOLDS(within(s, whole));
		if (rc == ALIAS_END)
			break;
		HOLDS(s.n < before);
		if (rc == ALIAS_BAD)
			continue;
		HOLDS(t.text.n > 0 && t.text.n <= ALIAS_TARGET_MAX);
		HOLDS(within(t.text, whole) || within(t.text, kept));
		HOLDS(str_find(t.text, '\n') == t.text.n &&
		      str_find(t.text, '\0') == t.text.n);
		HOLDS(t.kind != ALIAS_ADDRESS ||
		      str_find(t.text, '@') < t.text.n);
		again(&t);
	}
	HOLDS(s.n == 0);
	free(room);
}

static unsigned lines(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n' || i + 1 == s.n;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str whole = fuzz_str(input, size), s = whole;
	struct alias_entry e;
	unsigned line = 1;

	targets(whole);
	for (;;) {
		size_t before = s.n;
		int rc = alias_next(&s, &line, &e);

		HOLDS(line == 1 + lines(str_head(whole, whole.n - s.n)));
		if (rc == ALIAS_END)
			break;
		HOLDS(s.n < before && e.line < line);
		if (rc == ALIAS_BAD)
			continue;
		HOLDS(e.name.n > 0 && within(e.name, whole));
		HOLDS(within(e.targets, whole) && alias_is(&e, e.name));
		targets(e.targets);
	}
	HOLDS(s.n == 0);
	return 0;
}
