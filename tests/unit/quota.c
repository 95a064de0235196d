/*
 * submission-rate: bursts, their end, what grows back, and users who have
 * nothing to do with each other.
 */
#include "sys/quota.h"

#include "tests/unit/tap.h"

enum { S_US = 1000 * 1000 };

static struct quota q;

/* How many he may begin at this time, at most 1000. */
static unsigned burst(const struct conf_rate *r, uint32_t uid, int64_t now_us)
{
	unsigned n = 0;

	while (n < 1000 && quota_begin(&q, r, uid, now_us) == 0)
		n++;
	return n;
}

static void messages(void)
{
	static const struct conf_rate rates[] = { { .messages = 1,
						      .messages_s = 1 },
		{ .messages = 3, .messages_s = 3600 },
		{ .messages = 7, .messages_s = 10 },
		{ .messages = 100, .messages_s = 1 } };

	for (size_t i = 0; i < TAP_N(rates); i++) {
		const struct conf_rate *r = &rates[i];
		unsigned n = (unsigned)r->messages;
		int64_t whole = (int64_t)r->messages_s * S_US, now = 5;

		q.n = 0;
		tap_ok(quota_is_clear(&q, now), "nobody: clear");
		tap_ok(burst(r, 1, now) == n, "%u at once", n);
		tap_ok(quota_begin(&q, r, 1, now) == QUOTA_MESSAGES, "no more");
		tap_ok(burst(r, 2, now) == n, "another has his own");
		tap_ok(!quota_is_clear(&q, now), "not clear");
		now += whole / n;
		tap_ok(burst(r, 1, now) == 1, "one has grown back");
		now += 2 * whole;
		tap_ok(quota_is_clear(&q, now), "clear");
		tap_ok(burst(r, 1, now) == n, "all are there again");
	}
}

static void octets(void)
{
	static const struct conf_rate r = { .octets = 1000, .octets_s = 100 };

	q.n = 0;
	tap_ok(quota_begin(&q, &r, 1, 0) == 0, "nothing was sent");
	quota_pay(&q, &r, 1, 999, 0);
	tap_ok(quota_begin(&q, &r, 1, 0) == 0, "one octet is left");
	quota_pay(&q, &r, 1, 1, 0);
	tap_ok(quota_begin(&q, &r, 1, 0) == QUOTA_OCTETS, "none is left");
	tap_ok(quota_begin(&q, &r, 2, 0) == 0, "another has his own");
	tap_ok(quota_begin(&q, &r, 1, S_US) == 0, "ten octets a second");
	quota_pay(&q, &r, 1, 10 * 1000, S_US);
	tap_ok(quota_begin(&q, &r, 1, 900ll * S_US) == QUOTA_OCTETS,
	    "a large one takes its time");
	tap_ok(quota_begin(&q, &r, 1, 1002ll * S_US) == 0, "and no longer");
	quota_pay(&q, &r, 1, 1ull << 40, 0);
	tap_ok(quota_begin(&q, &r, 1, 0) == QUOTA_OCTETS, "the largest");
}

/* With more users than room it is the one who loses least who is forgotten. */
static void crowd(void)
{
	static const struct conf_rate r = { .messages = 2, .messages_s = 100 };

	q.n = 0;
	(void)burst(&r, 0, 0);
	for (uint32_t uid = 1; uid < QUOTA_USERS; uid++)
		(void)quota_begin(&q, &r, uid, 0);
	tap_ok(quota_begin(&q, &r, QUOTA_USERS, 0) == 0, "one more");
	tap_ok(quota_begin(&q, &r, 0, 0) == QUOTA_MESSAGES,
	    "he who sent most is remembered");
	tap_ok(q.n == QUOTA_USERS, "no more than there is room for");
}

static void gaps(void)
{
	static const struct conf_rate none, some = { .octets = 1 };

	tap_ok(quota_gap(&none) == NULL && quota_gap(&some) != NULL,
	    "without a limit nothing is missing");
}

int main(void)
{
	messages();
	octets();
	crowd();
	gaps();
	return tap_done();
}
