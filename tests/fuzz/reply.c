/*
 * Replies: the same in any two pieces, not an octet taken behind the end,
 * what is kept printable, and a code only where three digits stood.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/reply.h"

static void kept(const struct reply *r)
{
	struct str text = reply_text(r), status = reply_status(r);

	for (size_t i = 0; i < text.n; i++)
		HOLDS(text.p[i] >= ' ' && text.p[i] <= '~');
	HOLDS(status.n >= 5 && status.n <= REPLY_STATUS_MAX);
	for (size_t i = 0; i < status.n; i++)
		HOLDS(status.p[i] == '.' || str_isdigit(status.p[i]));
	HOLDS(r->nstatus == 0 || r->code / 100 == (unsigned)status.p[0] - '0');
}

static void finished(const struct reply *r, struct str taken)
{
	char digits[4];
	struct str last = taken;
	struct buf code = BUF(digits);

	HOLDS(taken.n >= 4 && taken.p[taken.n - 1] == '\n');
	HOLDS(r->code >= 200 && r->code <= 599);
	buf_u64(&code, r->code);
	last.n--;
	while (str_find(last, '\n') < last.n)
		last = str_skip(last, str_find(last, '\n') + 1);
	HOLDS(str_starts(taken, buf_str(&code)));
	HOLDS(str_starts(last, buf_str(&code)));
	HOLDS(last.n == 3 || last.p[3] == ' ' || last.p[3] == '\r');
	kept(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	size_t cut = fuzz_octet(&s);
	struct str whole = s, first, second;
	struct reply r = { 0 }, q = { 0 };
	int rc = reply_feed(&r, &whole), again;

	if (rc == REPLY_DONE)
		finished(&r, str_head(s, s.n - whole.n));
	if (rc == 0) {
		HOLDS(whole.n == 0);
		kept(&r);
	}
	cut = s.n > 0 ? cut % s.n : 0;
	first = str_head(s, cut);
	second = str_skip(s, cut);
	again = reply_feed(&q, &first);
	if (again == 0)
		again = reply_feed(&q, &second);
	HOLDS(again == rc && first.n + second.n == whole.n);
	HOLDS(q.code == r.code && str_eq(reply_text(&q), reply_text(&r)) &&
	      str_eq(reply_status(&q), reply_status(&r)));
	return 0;
}
