/*
 * Collecting the recipients of a message.  Texts are kept in one room, which
 * is emptied when the message is done.
 */
#include "sys/job.h"

#include <errno.h>

#include "sys/failure.h"

void job_clear(struct job *j)
{
	j->nrcpts = j->ncopies = j->nlinks = 0;
	j->changed = false;
	j->room = BUF(j->text);
}

/* A copy that lives as long as the job, with a NUL behind it. */
static struct str keep(struct job *j, struct str s)
{
	const char *at = j->room.p + j->room.n;

	buf_put(&j->room, s);
	buf_putc(&j->room, '\0');
	return j->room.full ? STR("") : str_at(at, s.n);
}

struct verdict job_keep(struct job *j, const struct verdict *v)
{
	struct verdict kept = { v->kind, keep(j, v->status), keep(j, v->text) };

	return kept;
}

/* The mailbox, not the way to it, nor the sender's name on it. */
static bool is_same(const struct box *a, const struct box *b)
{
	return a->kind == b->kind && a->uid == b->uid &&
	       str_eq(a->path, b->path) && str_eq(a->user, b->user);
}

static int add_box(struct job *j, const struct box *box, struct str address)
{
	unsigned i = 0;
	struct copy *c;

	if (j->nlinks == JOB_LINKS)
		return -E2BIG;
	while (i < j->ncopies && !is_same(&j->copy[i].box, box))
		i++;
	if (i == JOB_COPIES)
		return -E2BIG;
	j->link[j->nlinks++] = (unsigned short)i;
	if (i < j->ncopies)
		return 0;
	c = &j->copy[i];
	c->box = *box;
	c->box.user = keep(j, box->user);
	c->box.path = keep(j, box->path);
	c->box.owner = keep(j, box->owner);
	c->box.home = keep(j, box->home);
	c->address = keep(j, address);
	maildir_init(&c->maildir);
	mbox_init(&c->mbox);
	if (j->room.full)
		return -E2BIG;
	j->ncopies++;
	return 0;
}

static int add(struct job *j, struct rcpt *r, struct str record)
{
	struct str address;
	struct plan plan;
	struct box box;
	int rc;

	if (record.n == 0 || record.p[0] != 'R')
		return -EBADMSG;
	record = str_skip(record, 1);
	if (plan_field(&record, &address) != 0 || plan_get(record, &plan) != 0)
		return -EBADMSG;
	while ((rc = plan_next(&plan.boxes, &box)) == 0) {
		rc = add_box(j, &box, address);
		if (rc < 0)
			return rc;
	}
	if (rc != PLAN_END)
		return -EBADMSG;
	r->n = j->nlinks - r->first;
	r->verdict = job_keep(j, &plan.verdict);
	return j->room.full ? -E2BIG : 0;
}

bool job_add(struct job *j, struct str record)
{
	struct rcpt *r = &j->rcpt[j->nrcpts];
	int rc;

	if (j->nrcpts == JOB_RCPTS)
		return false;
	j->nrcpts++;
	*r = (struct rcpt){ .first = j->nlinks };
	rc = add(j, r, record);
	if (rc < 0) {
		r->n = 0;
		r->verdict = failure_verdict(rc);
	}
	return true;
}

bool job_is_settled(const struct job *j)
{
	for (unsigned i = 0; i < j->nrcpts; i++)
		if (j->rcpt[i].verdict.kind == VERDICT_LATER ||
		    j->rcpt[i].verdict.kind == VERDICT_FORWARD)
			return false;
	return true;
}

struct verdict job_verdict(const struct job *j, unsigned i)
{
	static const enum verdict_kind gravest_first[] = { VERDICT_LATER,
		VERDICT_NEVER, VERDICT_DONE };
	const struct rcpt *r = &j->rcpt[i];

	if (r->verdict.kind != VERDICT_DONE)
		return r->verdict;
	for (unsigned g = 0; g < 3; g++)
		for (unsigned k = 0; k < r->n; k++) {
			const struct copy *c = &j->copy[j->link[r->first + k]];

			if (c->outcome.kind == gravest_first[g])
				return c->outcome;
		}
	return failure_verdict(-EIO);
}
