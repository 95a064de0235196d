/*
 * Replies by their codes, and what the verdicts of several recipients mean
 * together: whatever the mixture, nobody's mail may be lost by a 250.
 */
#include "mail/answer.h"
#include "tests/unit/tap.h"

static void codes(void)
{
	static const struct {
		struct verdict v;
		struct str reply;
	} rows[] = {
		{ { VERDICT_DONE, S("2.0.0"), S("ok") },
		    S("250 2.0.0 ok\r\n") },
		{ { VERDICT_LATER, S("4.2.2"), S("full") },
		    S("452 4.2.2 full\r\n") },
		{ { VERDICT_LATER, S("4.3.1"), S("full") },
		    S("452 4.3.1 full\r\n") },
		{ { VERDICT_LATER, S("4.5.3"), S("many") },
		    S("452 4.5.3 many\r\n") },
		{ { VERDICT_LATER, S("4.3.0"), S("x") }, S("451 4.3.0 x\r\n") },
		{ { VERDICT_FORWARD, S("4.3.0"), S("x") },
		    S("451 4.3.0 x\r\n") },
		{ { VERDICT_NEVER, S("5.1.1"), S("who") },
		    S("550 5.1.1 who\r\n") },
		{ { VERDICT_NEVER, S("5.2.2"), S("full") },
		    S("552 5.2.2 full\r\n") },
		{ { VERDICT_NEVER, S("5.2.3"), S("big") },
		    S("552 5.2.3 big\r\n") },
		{ { VERDICT_NEVER, S("5.3.4"), S("big") },
		    S("552 5.3.4 big\r\n") },
		{ { VERDICT_NEVER, S("5.4.6"), S("loop") },
		    S("554 5.4.6 loop\r\n") },
		{ { VERDICT_NEVER, S("5.6.0"), S("a\r\nb") },
		    S("550 5.6.0 a\\x0d\\x0ab\r\n") },
	};

	for (size_t i = 0; i < TAP_N(rows); i++) {
		char text[256];
		struct buf b = BUF(text);
		unsigned code = answer_verdict(&b, &rows[i].v);

		tap_same(buf_str(&b), rows[i].reply, "reply %zu", i);
		tap_ok(code == (unsigned)(rows[i].reply.p[0] - '0') * 100 +
				   (unsigned)(rows[i].reply.p[1] - '0') * 10 +
				   (unsigned)(rows[i].reply.p[2] - '0'),
		    "code %u", code);
	}
}

/* All sequences of three verdicts: the result by its meaning. */
static void joins(void)
{
	static const struct verdict kinds[] = {
		{ VERDICT_DONE, S("2.0.0"), S("d") },
		{ VERDICT_LATER, S("4.2.2"), S("l") },
		{ VERDICT_NEVER, S("5.1.1"), S("n") },
	};

	for (unsigned k = 0; k < 27; k++) {
		unsigned pick[3] = { k % 3, k / 3 % 3, k / 9 };
		struct verdict all = kinds[0];
		bool same = pick[0] == pick[1] && pick[1] == pick[2];

		for (unsigned i = 0; i < 3; i++)
			answer_join(&all, i, &kinds[pick[i]]);
		tap_ok(all.kind == (same ? kinds[pick[0]].kind : VERDICT_LATER),
		    "verdicts %u%u%u together", pick[0], pick[1], pick[2]);
		tap_ok(all.kind != VERDICT_LATER || all.status.p[0] == '4',
		    "and a status of the same class");
	}
}

int main(void)
{
	char text[64];
	struct buf b = BUF(text);

	answer(&b, 354, NULL, "go on");
	answer(&b, 250, "2.1.0", "ok");
	tap_same(buf_str(&b), STR("354 go on\r\n250 2.1.0 ok\r\n"), "answer");
	codes();
	joins();
	return tap_done();
}
