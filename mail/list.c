/*
 * The tokens of an element up to its comma: those of the address are put
 * together without what may stand between them and read by mail/addr.
 */
#include "mail/list.h"

#include <string.h>

enum { SPEC_MAX = 2 * PATH_MAX_LEN };

struct element {
	struct list *l;
	struct list_item *item;
	bool bad, gap;
	bool angle, closed; /* a < was seen; and its > */
	struct buf spec;
	char room[SPEC_MAX];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_glue(char c)
{
	return c == '.' || c == '@' || c == '<' || c == '>' || c == ',' ||
	       c == ':';
}

/* A piece of the address.  Two words with a gap between them are none. */
static void put(struct element *e, struct str s)
{
	struct buf *b = &e->spec;

	if (e->closed || (e->gap && b->n > 0 && !is_glue(b->p[b->n - 1]) &&
			     !is_glue(s.p[0])))
		e->bad = true;
	e->gap = false;
	buf_put(b, s);
	if (!e->closed)
		e->item->end = e->l->at + s.n;
	e->l->at += s.n;
}

/* Nested, with pairs of \. */
static void pass_comment(struct element *e)
{
	struct list *l = e->l;
	unsigned depth = 0;

	for (; l->at < l->text.n; l->at++) {
		char c = l->text.p[l->at];

		if (c == '(')
			depth++;
		else if (c == '\\')
			l->at++;
		else if (c == ')' && --depth == 0) {
			l->at++;
			e->gap = true;
			return;
		}
	}
	l->at = l->text.n;
	e->bad = true;
}

/* "..." or [...], as it stands. */
static void put_quoted(struct element *e, char close)
{
	struct str s = str_skip(e->l->text, e->l->at);
	size_t i = 1;

	while (i < s.n && s.p[i] != close)
		i += s.p[i] == '\\' ? 2 : 1;
	if (i >= s.n) {
		e->bad = true;
		e->l->at = e->l->text.n;
		return;
	}
	put(e, str_head(s, i + 1));
}

/* What stood before it was a name, or the name of a group. */
static void forget(struct element *e)
{
	buf_clear(&e->spec);
	e->gap = false;
	e->bad = false;
}

static void open_angle(struct element *e)
{
	bool again = e->angle;

	forget(e);
	e->bad = again;
	e->angle = true;
	e->item->phrase = e->l->at;
	put(e, STR("<"));
}

static void close_angle(struct element *e)
{
	size_t end = e->item->end;

	if (!e->angle || e->closed)
		e->bad = true;
	put(e, STR(">"));
	e->item->end = end;
	e->closed = true;
}

/* False at the end of the element, which is used up. */
static bool take(struct element *e)
{
	struct list *l = e->l;
	char c = l->text.p[l->at];

	if (is_blank(c)) {
		e->gap = true;
		l->at++;
	} else if (c == '(') {
		pass_comment(e);
	} else if (c == '"' || c == '[') {
		put_quoted(e, c == '"' ? '"' : ']');
	} else if (c == '<') {
		open_angle(e);
	} else if (c == '>') {
		close_angle(e);
	} else if (c == ':' && !e->angle && !l->in_group) {
		l->in_group = true;
		forget(e);
		e->item->from = ++l->at;
	} else if ((c == ',' || c == ';') && (!e->angle || e->closed)) {
		return false;
	} else {
		put(e, str_at(l->text.p + l->at, 1));
	}
	return true;
}

static int parse(struct element *e)
{
	struct str s = buf_str(&e->spec);
	const unsigned flags = ADDR_BARE_OK | ADDR_UTF8_OK;

	if (e->bad || e->spec.full || e->angle != e->closed)
		return LIST_BAD;
	if (!e->angle)
		return addr_mailbox(s, flags, &e->item->addr) == 0 ? 0
								   : LIST_BAD;
	if (addr_path(&s, flags, &e->item->addr) != 0 || s.n > 0)
		return LIST_BAD;
	return 0;
}

/* One element, its comma used up. */
static int next(struct list *l, struct list_item *item)
{
	struct element e = { .l = l, .item = item };
	bool ended;

	e.spec = BUF(e.room);
	item->from = l->at;
	item->phrase = item->end = l->at;
	while (l->at < l->text.n && take(&e))
		;
	item->text = str_at(l->text.p + item->from, l->at - item->from);
	if (!e.angle)
		item->phrase = l->at;
	ended = l->at >= l->text.n;
	if (!ended) {
		if (l->text.p[l->at] == ';')
			l->in_group = false;
		l->at++;
	}
	if (e.spec.n == 0 && !e.spec.full && !e.bad)
		return ended ? LIST_END : -1;
	return parse(&e);
}

int list_next(struct list *l, struct list_item *item)
{
	int rc;

	do /* empty elements are nothing */
		rc = l->at < l->text.n ? next(l, item) : LIST_END;
	while (rc < 0);
	return rc;
}
