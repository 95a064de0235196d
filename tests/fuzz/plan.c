/*
 * Plans, which a store worker takes from somebody with fewer rights: a
 * mailbox that is accepted has an absolute path and an owner who is not root,
 * and written again it is the same mailbox.  A message whose recipient has
 * this plan has a copy for each mailbox once; a plan that is not understood
 * has none, and is refused for now.
 */
#include "tests/fuzz/fuzz.h"

#include "sys/job.h"
#include "sys/plan.h"

static void same(const struct box *box)
{
	static char text[PLAN_MAX];
	struct buf b = BUF(text);
	struct str again;
	struct box copy;

	plan_box(&b, box);
	HOLDS(!b.full);
	again = buf_str(&b);
	HOLDS(plan_next(&again, &copy) == 0 && again.n == 0);
	HOLDS(copy.kind == box->kind && copy.uid == box->uid &&
	      copy.gid == box->gid && str_eq(copy.user, box->user) &&
	      str_eq(copy.path, box->path) && str_eq(copy.owner, box->owner) &&
	      str_eq(copy.home, box->home));
}

static bool same_box(const struct box *a, const struct box *b)
{
	return a->kind == b->kind && a->uid == b->uid &&
	       str_eq(a->path, b->path) && str_eq(a->user, b->user);
}

/* The copies of recipient i, each a box of its plan. */
static void copies(const struct job *j, unsigned i, struct str boxes)
{
	struct box box;

	for (unsigned k = 0; k < j->rcpt[i].n; k++) {
		unsigned at = j->link[j->rcpt[i].first + k];

		HOLDS(plan_next(&boxes, &box) == 0 && at < j->ncopies);
		HOLDS(same_box(&j->copy[at].box, &box));
		HOLDS(j->copy[at].box.path.p[box.path.n] == '\0');
	}
	HOLDS(plan_next(&boxes, &box) == PLAN_END);
	for (unsigned k = 0; k < j->ncopies; k++)
		for (unsigned m = 0; m < k; m++)
			HOLDS(!same_box(&j->copy[k].box, &j->copy[m].box));
}

/* As a recipient, twice. */
static void recipient(struct str text)
{
	static char record[PLAN_MAX];
	static struct job j;
	struct buf b = BUF(record);
	struct plan plan;
	struct verdict v;

	request_begin(&b, 'R');
	request_field(&b, STR("a@here.example"));
	buf_put(&b, text);
	job_clear(&j);
	HOLDS(job_add(&j, buf_str(&b)) && job_add(&j, buf_str(&b)));
	HOLDS(j.nrcpts == 2 && j.nlinks <= JOB_LINKS);
	for (unsigned i = 0; i < 2; i++) {
		if (plan_get(text, &plan) == 0 &&
		    j.rcpt[i].verdict.kind == plan.verdict.kind &&
		    str_eq(j.rcpt[i].verdict.text, plan.verdict.text)) {
			copies(&j, i, plan.boxes);
			continue;
		}
		v = job_verdict(&j, i);
		HOLDS(v.kind == VERDICT_LATER && j.rcpt[i].n == 0);
		HOLDS(!job_is_settled(&j));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct plan plan;
	struct box box;
	size_t left;

	if (size <= PLAN_MAX / 2 &&
	    plan_get(fuzz_str(input, size), &plan) == 0) {
		HOLDS(plan.boxes.n < size && plan.forwards.n < size);
		HOLDS(plan.boxes.n + plan.forwards.n < size);
		HOLDS(plan.verdict.text.n <= REQUEST_TEXT_MAX);
		left = plan.boxes.n;
		while (plan_next(&plan.boxes, &box) == 0) {
			HOLDS(plan.boxes.n < left);
			left = plan.boxes.n;
			HOLDS(box.uid != 0 && box.uid != UINT32_MAX);
			HOLDS(box.path.n > 0 &&
			      box.path.p[0] ==
				  (box.kind == BOX_COMMAND ? '|' : '/'));
			HOLDS(str_find(box.path, '\0') == box.path.n);
			HOLDS(box.home.n == 0 || box.home.p[0] == '/');
			same(&box);
		}
	}
	if (size <= PLAN_MAX / 2)
		recipient(fuzz_str(input, size));
	return 0;
}
