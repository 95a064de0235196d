/* When a message is tried again: intervals, their spread, and clocks that
 * jump ten years either way or as far as int64_t goes. */
#include "tests/unit/tap.h"

#include "mail/retry.h"

#define NOW 1795468380
#define HOUR ((int64_t)3600)
#define DAY (24 * HOUR)
#define YEARS (10 * 365 * DAY)

static const struct retry usual = { 300, 14400, 432000, 14400 };
static const struct retry huge = { UINT32_MAX, UINT32_MAX, UINT32_MAX,
	UINT32_MAX };
static const struct retry odd = { 7, 3, 10, 0 };
static const struct retry nothing = { 0, 0, 0, 0 };
static const struct retry slow = { 1, UINT32_MAX, UINT32_MAX, 0 };

/* clang-format off */
static const struct {
	const struct retry *r;
	unsigned attempts;
	int64_t middle, slack; /* the interval, a quarter of it */
} intervals[] = {
	{ &usual, 0, 300, 75 },
	{ &usual, 1, 300, 75 },
	{ &usual, 2, 600, 150 },
	{ &usual, 3, 1200, 300 },
	{ &usual, 6, 9600, 2400 },
	{ &usual, 7, 14400, 3600 },
	{ &usual, 8, 14400, 3600 },
	{ &usual, 64, 14400, 3600 },
	{ &usual, UINT32_MAX, 14400, 3600 },
	{ &huge, 1, UINT32_MAX, UINT32_MAX / 4 },
	{ &huge, UINT32_MAX, UINT32_MAX, UINT32_MAX / 4 },
	{ &slow, 32, (int64_t)1 << 31, (int64_t)1 << 29 },
	{ &slow, 33, UINT32_MAX, UINT32_MAX / 4 },
	{ &odd, 1, 3, 0 },
	{ &odd, 9, 3, 0 },
	{ &nothing, 0, 1, 0 },
	{ &nothing, 9, 1, 0 },
};

static const struct {
	const char *name;
	int64_t next, now;
	bool due;
} dues[] = {
	{ "never tried", 0, NOW, true },
	{ "now", NOW, NOW, true },
	{ "a second ago", NOW - 1, NOW, true },
	{ "in a second", NOW + 1, NOW, false },
	{ "the longest wait", NOW + 18000, NOW, false },
	{ "a second beyond the longest wait", NOW + 18001, NOW, true },
	{ "the clock jumped ten years ahead", NOW, NOW + YEARS, true },
	{ "the clock jumped ten years back", NOW, NOW - YEARS, true },
	{ "an end of time", INT64_MAX, NOW, true },
	{ "the other end of time", INT64_MIN, NOW, true },
	{ "from one end of time to the other", INT64_MAX, INT64_MIN, true },
	{ "and back", INT64_MIN, INT64_MAX, true },
	{ "before the epoch", -10, -11, false },
	{ "across the epoch", 1, -1, false },
};

static const struct {
	const char *name;
	int64_t arrival;
	unsigned attempts;
	int64_t now;
	bool over, late;
} ends[] = {
	{ "just arrived", NOW, 0, NOW, false, false },
	{ "a second short of the warning", NOW, 6, NOW + 4 * HOUR - 1,
	    false, false },
	{ "the warning", NOW, 6, NOW + 4 * HOUR, false, true },
	{ "the lifetime", NOW, 40, NOW + 5 * DAY, false, true },
	{ "a second more", NOW, 40, NOW + 5 * DAY + 1, true, true },
	{ "old, tried too seldom", NOW, 7, NOW + 5 * DAY + 1, false, true },
	{ "old, tried often enough", NOW, 8, NOW + 5 * DAY + 1, true, true },
	{ "young, tried very often", NOW, UINT32_MAX, NOW + DAY, false,
	    true },
	{ "ten years ahead, never tried", NOW, 0, NOW + YEARS, false, true },
	{ "ten years ahead, tried 7 times", NOW, 7, NOW + YEARS, false, true },
	{ "ten years back, tried often", NOW, 34, NOW - YEARS, false, false },
	{ "ten years back, for a lifetime", NOW, 36, NOW - YEARS, true,
	    false },
	{ "ten years back, for ever", NOW, UINT32_MAX, NOW - YEARS, true,
	    false },
	{ "a second ahead", NOW + 1, 8, NOW, false, false },
	{ "from one end of time to the other", INT64_MIN, 8, INT64_MAX, true,
	    true },
	{ "and back", INT64_MAX, 8, INT64_MIN, false, false },
};
/* clang-format on */

static void test_intervals(void)
{
	static const uint64_t bits[] = { 0, 1, 2, 1u << 31, UINT32_MAX,
		(uint64_t)1 << 32, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < TAP_N(intervals); i++) {
		const struct retry *r = intervals[i].r;
		unsigned n = intervals[i].attempts;
		int64_t low = intervals[i].middle - intervals[i].slack;
		int64_t high = intervals[i].middle + intervals[i].slack;
		bool within = true;

		for (size_t k = 0; k < TAP_N(bits); k++) {
			int64_t v = retry_interval_s(r, n, bits[k]);

			within = within && v >= low && v <= high;
		}
		tap_ok(within, "interval %zu within bounds", i);
		tap_ok(
		    retry_interval_s(r, n, 0) == low, "interval %zu: least", i);
		tap_ok(retry_interval_s(
			   r, n, (uint64_t)(2 * intervals[i].slack)) == high,
		    "interval %zu: most", i);
	}
}

/* Spread evenly: as many in each tenth, within a fifth of that. */
static void test_spread(void)
{
	unsigned count[10] = { 0 };
	uint64_t random = 0x9e3779b97f4a7c15u;
	bool even = true;

	for (unsigned i = 0; i < 100000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		count[(retry_interval_s(&usual, 9, random) - 10800) * 10 /
		      7201]++;
	}
	for (size_t i = 0; i < TAP_N(count); i++)
		even = even && count[i] > 8000 && count[i] < 12000;
	tap_ok(even, "intervals are spread evenly");
}

int main(void)
{
	test_intervals();
	test_spread();
	for (size_t i = 0; i < TAP_N(dues); i++)
		tap_ok(retry_is_due(&usual, dues[i].next, dues[i].now) ==
			   dues[i].due,
		    "due: %s", dues[i].name);
	for (size_t i = 0; i < TAP_N(ends); i++) {
		tap_ok(retry_is_over(&usual, ends[i].arrival, ends[i].attempts,
			   ends[i].now) == ends[i].over,
		    "over: %s", ends[i].name);
		tap_ok(retry_is_late(&usual, ends[i].arrival, ends[i].now) ==
			   ends[i].late,
		    "late: %s", ends[i].name);
	}
	tap_ok(!retry_is_late(&odd, 0, INT64_MAX), "no warning is wanted");
	tap_ok(retry_is_over(&huge, 0, 9, (int64_t)UINT32_MAX + 1),
	    "a long life ends");
	return tap_done();
}
