/*
 * Records between smtpd and deliver: how they are written, and how strictly
 * they are read.  Both ends use this file, and both doubt the other.
 */
#include "mail/request.h"

/* clang-format off */
const struct request_rule request_rules[] = {
	/* letter fields fd	idle	open	answered content */
	{ 'U',	1,	false,	true,	false,	true,	false },
	{ 'A',	2,	false,	true,	false,	true,	false },
	{ 'L',	4,	false,	true,	false,	true,	false },
	{ 'R',	4,	false,	true,	true,	false,	false },
	{ 'S',	3,	true,	false,	true,	true,	false },
	{ 'M',	1,	false,	false,	true,	true,	true },
	{ 0,	0,	false,	false,	false,	false,	false }
};
/* clang-format on */

const struct request_rule *request_rule(char letter)
{
	for (const struct request_rule *r = request_rules; r->letter; r++)
		if (r->letter == letter)
			return r;
	return NULL;
}

/* n fields, each ended by NUL; what is behind them is in r->content. */
static int split(struct str s, unsigned n, struct request *r)
{
	if (n > REQUEST_FIELDS)
		return REQUEST_BAD;
	for (unsigned i = 0; i < n; i++) {
		size_t end = str_find(s, '\0');

		if (end == s.n)
			return REQUEST_BAD;
		r->field[i] = str_head(s, end);
		s = str_skip(s, end + 1);
	}
	r->content = s;
	return 0;
}

int request_parse(struct str record, struct request *r)
{
	*r = (struct request){ 0 };
	if (record.n == 0)
		return REQUEST_BAD;
	r->letter = record.p[0];
	r->rule = request_rule(r->letter);
	if (r->rule == NULL ||
	    split(str_skip(record, 1), r->rule->nfields, r) != 0)
		return REQUEST_BAD;
	if (record.n - r->content.n > REQUEST_MAX)
		return REQUEST_BAD;
	return r->content.n <= (r->rule->content ? REQUEST_CONTENT_MAX : 0)
		   ? 0
		   : REQUEST_BAD;
}

int request_answer(
    struct str record, char letter, unsigned nfields, struct request *r)
{
	*r = (struct request){ .letter = letter };
	if (record.n == 0 || record.n > REQUEST_MAX || record.p[0] != letter)
		return REQUEST_BAD;
	if (split(str_skip(record, 1), nfields, r) != 0)
		return REQUEST_BAD;
	return r->content.n == 0 ? 0 : REQUEST_BAD;
}

int request_forward(struct str *list, struct str *address, struct str *owner)
{
	struct request r;

	if (split(*list, 2, &r) != 0)
		return REQUEST_BAD;
	*address = r.field[0];
	*owner = r.field[1];
	*list = r.content;
	return 0;
}

/* FNV-1a, cut to its width. */
uint32_t request_sum(struct str list)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < list.n; i++)
		h = (h ^ (unsigned char)list.p[i]) * 16777619u;
	return (h ^ h >> 24) & REQUEST_SUM_MASK;
}

int request_forwards(struct str record, struct forwards *f)
{
	struct str rest, address, owner;
	struct request r;

	if (record.n == 0 || record.p[0] != 'g' ||
	    split(str_skip(record, 1), 2, &r) != 0 ||
	    r.content.n > REQUEST_FORWARDS_MAX || r.content.n == 0)
		return REQUEST_BAD;
	rest = r.content;
	while (rest.n > 0)
		if (request_forward(&rest, &address, &owner) != 0)
			return REQUEST_BAD;
	f->mailboxes = str_eq(r.field[0], STR("1"));
	f->sender = r.field[1];
	f->list = r.content;
	return f->mailboxes || str_eq(r.field[0], STR("0")) ? 0 : REQUEST_BAD;
}

void request_begin(struct buf *b, char letter)
{
	buf_clear(b);
	buf_putc(b, letter);
}

void request_field(struct buf *b, struct str field)
{
	if (str_find(field, '\0') < field.n) {
		b->full = true;
		return;
	}
	buf_put(b, field);
	buf_putc(b, '\0');
}

/* clang-format off */
/* The letter of a fate, and the class its status must have (RFC 3463 2). */
static const struct {
	enum verdict_kind kind;
	char letter;
	char class;
} kinds[] = {
	{ VERDICT_DONE,		'D', '2' },
	{ VERDICT_LATER,	'L', '4' },
	{ VERDICT_NEVER,	'N', '5' },
	{ VERDICT_FORWARD,	'F', '4' },
};
/* clang-format on */

enum { NKINDS = sizeof(kinds) / sizeof(kinds[0]) };

void verdict_put(struct buf *b, const struct verdict *v)
{
	char letter = 'L';

	for (unsigned i = 0; i < NKINDS; i++)
		if (kinds[i].kind == v->kind)
			letter = kinds[i].letter;
	request_field(b, str_at(&letter, 1));
	request_field(b, v->status);
	request_field(b, str_head(v->text, REQUEST_TEXT_MAX));
}

/* "5.1.10": a class, and two numbers of at most three digits. */
static bool is_status(struct str s, char class)
{
	struct str part;

	if (s.n < 5 || s.p[0] != class || s.p[1] != '.')
		return false;
	s = str_skip(s, 2);
	for (unsigned i = 0; i < 2; i++) {
		size_t end = str_find(s, '.');

		part = str_head(s, end);
		if (part.n < 1 || part.n > 3 || (i == 1 && end != s.n))
			return false;
		for (size_t k = 0; k < part.n; k++)
			if (!str_isdigit(part.p[k]))
				return false;
		s = str_skip(s, end + 1);
	}
	return true;
}

int verdict_get(const struct request *r, struct verdict *v)
{
	struct str kind = r->field[0];

	v->status = r->field[1];
	v->text = r->field[2];
	if (v->text.n > REQUEST_TEXT_MAX)
		return REQUEST_BAD;
	for (size_t i = 0; i < v->text.n; i++)
		if (v->text.p[i] < ' ' || v->text.p[i] > '~')
			return REQUEST_BAD;
	for (unsigned i = 0; i < NKINDS; i++)
		if (kind.n == 1 && kind.p[0] == kinds[i].letter) {
			v->kind = kinds[i].kind;
			return is_status(v->status, kinds[i].class)
				   ? 0
				   : REQUEST_BAD;
		}
	return REQUEST_BAD;
}
