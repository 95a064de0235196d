/*
 * Plans, which a store worker takes from somebody with fewer rights: a
 * mailbox that is accepted has an absolute path and an owner who is not root,
 * and written again it is the same mailbox.
 */
#include "tests/fuzz/fuzz.h"

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
	      str_eq(copy.path, box->path) && str_eq(copy.owner, box->owner));
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
			HOLDS(box.path.n > 0 && box.path.p[0] == '/');
			HOLDS(str_find(box.path, '\0') == box.path.n);
			same(&box);
		}
	}
	return 0;
}
