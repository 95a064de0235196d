/*
 * Records between smtpd and deliver: what parses is what is written again
 * from its fields, octet by octet; a verdict that is good survives the way
 * through a record.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/answer.h"
#include "mail/request.h"

static void rewrite(struct str s, const struct request *r, unsigned nfields)
{
	static char text[REQUEST_WHOLE_MAX];
	struct buf b = BUF(text);

	request_begin(&b, r->letter);
	for (unsigned i = 0; i < nfields; i++)
		request_field(&b, r->field[i]);
	buf_put(&b, r->content);
	HOLDS(!b.full && str_eq(buf_str(&b), s));
}

/* What a client is told: one line, in the class of the verdict. */
static void reply(const struct verdict *v)
{
	static const char class[] = "2454";
	char text[512];
	struct buf b = BUF(text);
	unsigned code = answer_verdict(&b, v);

	HOLDS(!b.full && b.n > 2 && str_find(buf_str(&b), '\r') == b.n - 2);
	HOLDS(b.p[b.n - 1] == '\n' && code / 100 + '0' == (unsigned)b.p[0]);
	HOLDS(b.p[0] == class[v->kind]);
}

static void verdict(const struct request *r)
{
	static char text[REQUEST_MAX];
	struct buf b = BUF(text);
	struct verdict v, w;
	struct request q;

	if (verdict_get(r, &v) != 0)
		return;
	for (size_t i = 0; i < v.text.n; i++)
		HOLDS(v.text.p[i] >= ' ' && v.text.p[i] <= '~');
	HOLDS(v.text.n <= REQUEST_TEXT_MAX && v.status.n >= 5);
	request_begin(&b, 's');
	verdict_put(&b, &v);
	HOLDS(request_answer(buf_str(&b), 's', 3, &q) == 0);
	HOLDS(verdict_get(&q, &w) == 0 && w.kind == v.kind &&
	      str_eq(w.status, v.status) && str_eq(w.text, v.text));
	reply(&v);
}

/* A list that is good is read to its very end. */
static void forwards(struct str s)
{
	struct str address, owner;
	struct forwards f;

	if (request_forwards(s, &f) != 0)
		return;
	HOLDS(f.list.n > 0 && f.list.n <= REQUEST_FORWARDS_MAX);
	HOLDS(request_sum(f.list) <= REQUEST_SUM_MASK);
	while (request_forward(&f.list, &address, &owner) == 0)
		HOLDS(address.p[address.n] == '\0' && owner.p[owner.n] == '\0');
	HOLDS(f.list.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	struct request r;

	if (request_parse(s, &r) == 0) {
		HOLDS(r.rule != NULL && r.rule->letter == r.letter);
		HOLDS(r.rule->content || r.content.n == 0);
		rewrite(s, &r, r.rule->nfields);
	}
	forwards(s);
	for (unsigned n = 1; n <= REQUEST_FIELDS + 1; n++)
		if (request_answer(s, 's', n, &r) == 0) {
			HOLDS(n <= REQUEST_FIELDS && r.rule == NULL &&
			      r.content.n == 0);
			rewrite(s, &r, n);
			if (n == 3)
				verdict(&r);
		}
	return 0;
}
