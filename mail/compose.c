/*
 * A field is collected, with its folds, until the line behind it shows that it
 * is whole; then its name says what becomes of it.
 */
#include "mail/compose.h"

#include <string.h>

#include "mail/list.h"
#include "mail/words.h"

enum kind {
	KIND_TEXT,    /* may become encoded words */
	KIND_AS_IS,   /* structured */
	KIND_DROPPED, /* not for others */
	KIND_FACT,    /* only that it is there counts */
	KIND_FROM,
	KIND_ADDRESSES, /* qualified */
	KIND_RECIPIENTS,
	KIND_BLIND
};

struct row {
	struct str name; /* lower case */
	enum kind kind;
	unsigned fact;
};

/* clang-format off */
static const struct row rows[] = {
	{ { "from", 4 },		KIND_FROM,	COMPOSE_FROM },
	{ { "to", 2 },			KIND_RECIPIENTS, 0 },
	{ { "cc", 2 },			KIND_RECIPIENTS, 0 },
	{ { "bcc", 3 },			KIND_BLIND,	0 },
	{ { "sender", 6 },		KIND_ADDRESSES,	0 },
	{ { "reply-to", 8 },		KIND_ADDRESSES,	0 },
	{ { "resent-from", 11 },	KIND_ADDRESSES,	0 },
	{ { "resent-sender", 13 },	KIND_ADDRESSES,	0 },
	{ { "resent-reply-to", 15 },	KIND_ADDRESSES,	0 },
	{ { "resent-to", 9 },		KIND_RECIPIENTS, COMPOSE_RESENT },
	{ { "resent-cc", 9 },		KIND_RECIPIENTS, COMPOSE_RESENT },
	{ { "resent-bcc", 10 },		KIND_BLIND,	COMPOSE_RESENT },
	{ { "return-path", 11 },	KIND_DROPPED,	0 },
	{ { "date", 4 },		KIND_FACT,	COMPOSE_DATE },
	{ { "message-id", 10 },		KIND_FACT,	COMPOSE_MESSAGE_ID },
	{ { "dkim-signature", 14 },	KIND_FACT,	COMPOSE_SIGNED },
	{ { "received", 8 },		KIND_AS_IS,	0 },
	{ { "references", 10 },		KIND_AS_IS,	0 },
	{ { "in-reply-to", 11 },	KIND_AS_IS,	0 },
	{ { "mime-version", 12 },	KIND_AS_IS,	0 },
};
/* clang-format on */

/* Structured, whatever comes behind. */
static const struct str structured[] = {
	{ "content-", 8 },
	{ "arc-", 4 },
	{ "list-", 5 },
};

static const struct row text_row = { { "", 0 }, KIND_TEXT, 0 };
static const struct row as_is_row = { { "", 0 }, KIND_AS_IS, 0 };

static const struct row *row_of(struct str name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eqcase(name, rows[i].name))
			return &rows[i];
	for (size_t i = 0; i < sizeof(structured) / sizeof(structured[0]); i++)
		if (str_startscase(name, structured[i]))
			return &as_is_row;
	return &text_row;
}

/* The name of a field, RFC 5322 3.6.8 and 4.5; empty: this is no field. */
static struct str name_of(struct str line)
{
	struct str name = str_trim(str_head(line, str_find(line, ':')));

	if (name.n > 0 && name.p != line.p)
		name.n = 0;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			name.n = 0;
	return str_find(line, ':') == line.n ? STR("") : name;
}

static void put(const struct compose *c, struct str s)
{
	if (!c->looking && s.n > 0)
		c->set->put(c->set->arg, s);
}

/* --- addresses ----------------------------------------------------------- */

/* A display name without its quotes and folds. */
static void put_plain(struct buf *b, struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\n')
			continue;
		if (quoted && c == '\\' && i + 1 < s.n)
			c = s.p[++i];
		buf_putc(b, c == '\t' ? ' ' : c);
	}
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

/* "Name <address>" with octets above ASCII; false: it stays as it is. */
static bool put_named(
    const struct compose *c, const struct list_item *item, struct str phrase)
{
	char plain[1024], text[8 * 1024];
	struct buf p = BUF(plain), b = BUF(text);

	/* A comment in a name is a comment. */
	if (!is_ascii(addr_local(&item->addr)) ||
	    str_find(phrase, '(') < phrase.n)
		return false;
	put_plain(&p, phrase);
	if (p.full)
		return false;
	buf_putc(&b, ' ');
	words_put_name(&b, str_trim(buf_str(&p)));
	buf_putz(&b, b.n > 60 ? "\n <" : " <");
	addr_put(&b, &item->addr);
	if (item->addr.host == HOST_NONE) {
		buf_putc(&b, '@');
		buf_put(&b, c->set->origin);
	}
	buf_putc(&b, '>');
	if (!b.full)
		put(c, buf_str(&b));
	return !b.full;
}

/* One element of a list, from `at` on.  Returns where it ends. */
static size_t put_element(const struct compose *c, struct str value, size_t at,
    const struct list_item *item)
{
	size_t end = item->from + item->text.n;
	struct str whole = str_trim(item->text);
	struct str phrase =
	    str_trim(str_at(value.p + item->from, item->phrase - item->from));

	if (!is_ascii(whole) && item->phrase < end &&
	    whole.p[whole.n - 1] == '>' && phrase.n > 0) {
		put(c, str_at(value.p + at, item->from - at));
		if (put_named(c, item, phrase))
			return end;
		at = item->from;
	}
	if (item->addr.host != HOST_NONE || item->addr.nlocal == 0)
		return at;
	put(c, str_at(value.p + at, item->end - at));
	put(c, STR("@"));
	put(c, c->set->origin);
	return item->end;
}

static void put_addresses(const struct compose *c, struct str field)
{
	size_t colon = str_find(field, ':') + 1, at = 0;
	struct list l = { .text = str_skip(field, colon) };
	struct list_item item;
	int rc;

	put(c, str_head(field, colon));
	while ((rc = list_next(&l, &item)) != LIST_END)
		if (rc == 0)
			at = put_element(c, l.text, at, &item);
	put(c, str_skip(l.text, at));
}

/* There is somebody in it. */
static bool has_address(struct str field)
{
	struct list l = { .text = str_skip(field, str_find(field, ':') + 1) };
	struct list_item item;

	return list_next(&l, &item) != LIST_END;
}

/* --- fields -------------------------------------------------------------- */

/* Subject and the like. */
static void put_text(const struct compose *c, struct str field)
{
	size_t colon = str_find(field, ':') + 1;
	char text[16 * 1024];
	struct buf b = BUF(text);

	if (is_ascii(field)) {
		put(c, field);
		return;
	}
	words_put(&b, str_trim(str_skip(field, colon)));
	if (b.full) {
		put(c, field);
		return;
	}
	put(c, str_head(field, colon));
	put(c, STR(" "));
	put(c, buf_str(&b));
}

static void look_field(struct compose *c, const struct row *r, struct str field)
{
	struct str value = str_skip(field, str_find(field, ':') + 1);

	if (r->kind == KIND_FROM && !has_address(field))
		return;
	c->facts |= r->fact;
	if ((r->kind == KIND_RECIPIENTS || r->kind == KIND_BLIND) &&
	    c->set->recipients)
		c->set->recipients(
		    c->set->arg, value, r->fact == COMPOSE_RESENT);
}

static bool is_dropped(const struct row *r)
{
	return r->kind == KIND_BLIND || r->kind == KIND_DROPPED;
}

static void put_field(struct compose *c, const struct row *r, struct str field)
{
	if (is_dropped(r) || (r->kind == KIND_FROM && !has_address(field)))
		return;
	if ((c->facts & COMPOSE_SIGNED) != 0 || r->kind == KIND_AS_IS ||
	    r->kind == KIND_FACT)
		put(c, field);
	else if (r->kind == KIND_TEXT)
		put_text(c, field);
	else
		put_addresses(c, field);
	put(c, STR("\n"));
}

/* The field that was collected is whole. */
static void end_field(struct compose *c)
{
	struct str field = buf_str(&c->field);
	const struct row *r = row_of(name_of(field));

	if (field.n > 0 && c->looking)
		look_field(c, r, field);
	else if (field.n > 0)
		put_field(c, r, field);
	buf_clear(&c->field);
	c->folded = false;
}

/* --- lines --------------------------------------------------------------- */

static void end_header(struct compose *c)
{
	put(c, STR("\n"));
	c->at = COMPOSE_AT_BODY;
}

static void put_body(const struct compose *c, struct str s)
{
	while (s.n > 0) {
		size_t cr = str_find(s, '\r');

		put(c, str_head(s, cr));
		if (cr < s.n)
			put(c, STR("\n"));
		s = str_skip(s, cr + 1);
	}
}

/* What was collected is no field after all: there the body begins. */
static void begin_body(struct compose *c)
{
	end_header(c);
	put(c, buf_str(&c->field));
	buf_clear(&c->field);
}

static bool is_no_field(const struct compose *c)
{
	return !c->folded && name_of(buf_str(&c->field)).n == 0;
}

static void end_line(struct compose *c)
{
	if (c->at == COMPOSE_AT_LINE) { /* the blank line */
		end_field(c);
		end_header(c);
	} else if (is_no_field(c)) {
		begin_body(c);
		put(c, STR("\n"));
	} else {
		c->at = COMPOSE_AT_LINE;
	}
}

/* The field is longer than what is kept of one. */
static void go_beyond(struct compose *c)
{
	const struct row *r = row_of(name_of(buf_str(&c->field)));

	if (is_no_field(c)) {
		begin_body(c);
		return;
	}
	if (c->looking) {
		c->facts |= r->fact;
		if (r->kind == KIND_RECIPIENTS || r->kind == KIND_BLIND)
			c->facts |= COMPOSE_TOO_LONG;
	}
	c->beyond = true;
	c->dropping = is_dropped(r);
	if (!c->dropping)
		put(c, buf_str(&c->field));
	buf_clear(&c->field);
	c->folded = false;
}

/* An octet of the field beyond, or that of a line behind it: false. */
static bool pass(struct compose *c, char ch)
{
	if (c->at == COMPOSE_AT_LINE && ch != ' ' && ch != '\t') {
		c->beyond = false;
		return false;
	}
	c->at = ch == '\n' ? COMPOSE_AT_LINE : COMPOSE_AT_WITHIN;
	if (!c->dropping)
		put(c, str_at(&ch, 1));
	return true;
}

/* The first octet of a line. */
static void begin_line(struct compose *c, char ch)
{
	if (c->field.n > 0 && (ch == ' ' || ch == '\t')) {
		buf_putc(&c->field, '\n');
		c->folded = true;
	} else {
		end_field(c);
	}
	c->at = COMPOSE_AT_WITHIN;
}

static void take(struct compose *c, char ch)
{
	if (ch == '\r')
		ch = ' ';
	if (c->beyond && pass(c, ch))
		return;
	if (ch == '\n') {
		end_line(c);
		return;
	}
	if (c->at == COMPOSE_AT_LINE)
		begin_line(c, ch);
	if (c->field.cap - c->field.n < 2)
		go_beyond(c);
	if (c->at == COMPOSE_AT_BODY)
		put_body(c, str_at(&ch, 1));
	else if (c->beyond)
		(void)pass(c, ch);
	else
		buf_putc(&c->field, ch);
}

/* --- the whole ----------------------------------------------------------- */

static void start(struct compose *c, const struct compose_setup *set)
{
	c->set = set;
	c->at = COMPOSE_AT_LINE;
	c->folded = c->beyond = c->dropping = false;
	c->field = BUF(c->room);
}

void compose_look(struct compose *c, const struct compose_setup *set)
{
	start(c, set);
	c->looking = true;
	c->facts = 0;
}

void compose_put(struct compose *c, const struct compose_setup *set)
{
	start(c, set);
	c->looking = false;
	if ((c->facts & COMPOSE_SIGNED) != 0)
		return;
	if ((c->facts & COMPOSE_DATE) == 0)
		put(c, set->date);
	if ((c->facts & COMPOSE_FROM) == 0)
		put(c, set->from);
	if ((c->facts & COMPOSE_MESSAGE_ID) == 0)
		put(c, set->message_id);
}

void compose_feed(struct compose *c, struct str in)
{
	size_t i = 0;

	while (i < in.n && c->at != COMPOSE_AT_BODY)
		take(c, in.p[i++]);
	if (!c->looking)
		put_body(c, str_skip(in, i));
}

void compose_finish(struct compose *c)
{
	if (c->at == COMPOSE_AT_BODY)
		return;
	if (c->beyond && c->at == COMPOSE_AT_WITHIN && !c->dropping)
		put(c, STR("\n"));
	if (c->field.n > 0 && is_no_field(c))
		begin_body(c);
	else
		end_field(c);
}
