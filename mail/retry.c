/*
 * Intervals that double from the first to the longest, RFC 5321 4.5.4.1.
 *
 * Times are read off a clock that may be wrong: both of a difference may be
 * any int64_t, and no jump of the clock, however far and whichever way, makes
 * a message wait for longer than the longest interval, or be given up before
 * it was tried often enough.
 */
#include "mail/retry.h"

/* The interval after so many attempts, before it is spread. */
static uint64_t interval(const struct retry *r, unsigned attempts)
{
	uint64_t longest = r->longest_s > 0 ? r->longest_s : 1;
	uint64_t v = r->first_s > 0 ? r->first_s : 1;

	for (unsigned i = 1; i < attempts && v < longest; i++)
		v *= 2;
	return v < longest ? v : longest;
}

/* From one time to a later one; what int64_t cannot hold, uint64_t can. */
static uint64_t between(int64_t from_s, int64_t to_s)
{
	return to_s < from_s ? 0 : (uint64_t)to_s - (uint64_t)from_s;
}

/* How long so many attempts take, unspread. */
static uint64_t span(const struct retry *r, unsigned attempts)
{
	uint64_t longest = interval(r, UINT32_MAX), sum = 0, v;
	unsigned i;

	for (i = 1; i <= attempts; i++) {
		v = interval(r, i);
		if (v == longest)
			break;
		sum += v;
	}
	if (i <= attempts)
		sum += (uint64_t)(attempts - i + 1) * longest;
	return sum;
}

int64_t retry_interval_s(
    const struct retry *r, unsigned attempts, uint64_t random)
{
	uint64_t v = interval(r, attempts);

	return (int64_t)(v - v / 4 + random % (v / 4 * 2 + 1));
}

bool retry_is_due(const struct retry *r, int64_t next_s, int64_t now_s)
{
	uint64_t longest = interval(r, UINT32_MAX);

	return next_s <= now_s ||
	       between(now_s, next_s) > longest + longest / 4;
}

bool retry_is_over(
    const struct retry *r, int64_t arrival_s, unsigned attempts, int64_t now_s)
{
	uint64_t age =
	    arrival_s > now_s ? span(r, attempts) : between(arrival_s, now_s);

	return attempts >= RETRY_ATTEMPTS_MIN && age > r->lifetime_s;
}

bool retry_is_late(const struct retry *r, int64_t arrival_s, int64_t now_s)
{
	return r->warning_s > 0 && between(arrival_s, now_s) >= r->warning_s;
}
