/*
 * Plans as records of NUL-ended fields, like those of mail/request.h.  The
 * worker that reads one has more rights than the one that wrote it, so every
 * field is checked for its form; which ids are good at all is said by the
 * worker's filter.
 */
#include "sys/plan.h"

static void put_number(struct buf *b, uint64_t n)
{
	buf_u64(b, n);
	buf_putc(b, '\0');
}

static void put(struct buf *b, const struct verdict *v, bool lasting,
    struct str sender, struct str forwards)
{
	verdict_put(b, v);
	put_number(b, lasting);
	request_field(b, sender);
	put_number(b, forwards.n);
	buf_put(b, forwards);
}

void plan_put(struct buf *b, const struct verdict *v, bool lasting)
{
	put(b, v, lasting, STR(""), STR(""));
}

void plan_put_forwards(struct buf *b, const struct verdict *v,
    struct str sender, struct str forwards)
{
	put(b, v, false, sender, forwards);
}

void plan_box(struct buf *b, const struct box *box)
{
	put_number(b, box->kind);
	put_number(b, box->uid);
	put_number(b, box->gid);
	request_field(b, box->user);
	request_field(b, box->path);
	request_field(b, box->owner);
	request_field(b, box->home);
}

int plan_field(struct str *s, struct str *field)
{
	size_t end = str_find(*s, '\0');

	if (end == s->n)
		return PLAN_BAD;
	*field = str_head(*s, end);
	*s = str_skip(*s, end + 1);
	return 0;
}

int plan_number(struct str *s, uint64_t max, uint64_t *n)
{
	struct str field;

	if (plan_field(s, &field) != 0 || str_u64(field, n) != 0 || *n > max)
		return PLAN_BAD;
	return 0;
}

int plan_get(struct str s, struct plan *p)
{
	struct request r = { .letter = 'p' };
	uint64_t lasting, n;

	for (unsigned i = 0; i < 3; i++)
		if (plan_field(&s, &r.field[i]) != 0)
			return PLAN_BAD;
	if (verdict_get(&r, &p->verdict) != 0 ||
	    plan_number(&s, 1, &lasting) != 0 ||
	    plan_field(&s, &p->sender) != 0 ||
	    plan_number(&s, REQUEST_FORWARDS_MAX, &n) != 0 || n > s.n)
		return PLAN_BAD;
	p->lasting = lasting == 1;
	p->forwards = str_head(s, (size_t)n);
	p->boxes = str_skip(s, (size_t)n);
	return 0;
}

int plan_next(struct str *boxes, struct box *box)
{
	uint64_t kind, uid, gid;

	if (boxes->n == 0)
		return PLAN_END;
	if (plan_number(boxes, BOX_COMMAND, &kind) != 0 ||
	    plan_number(boxes, UINT32_MAX - 1, &uid) != 0 ||
	    plan_number(boxes, UINT32_MAX - 1, &gid) != 0 ||
	    plan_field(boxes, &box->user) != 0 ||
	    plan_field(boxes, &box->path) != 0 ||
	    plan_field(boxes, &box->owner) != 0 ||
	    plan_field(boxes, &box->home) != 0)
		return PLAN_BAD;
	box->kind = (enum box_kind)kind;
	box->uid = (uint32_t)uid;
	box->gid = (uint32_t)gid;
	if (uid == 0 || box->path.n == 0 ||
	    box->path.p[0] != (kind == BOX_COMMAND ? '|' : '/') ||
	    (box->home.n > 0 && box->home.p[0] != '/'))
		return PLAN_BAD;
	return 0;
}
