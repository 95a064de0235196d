/*
 * When a message is tried again, and when it is given up.
 */
#ifndef MAIL_RETRY_H
#define MAIL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
	unsigned first_s, longest_s; /* 300, 14400: doubling between them */
	unsigned lifetime_s;         /* 432000 */
	unsigned warning_s;          /* 14400, 0: none */
};

enum { RETRY_ATTEMPTS_MIN = 8 }; /* a clock that jumps gives nothing up */

/* Seconds from now, at least 1, after so many attempts, spread by 64 random
 * bits over three quarters to five quarters of the interval. */
int64_t retry_interval_s(
    const struct retry *r, unsigned attempts, uint64_t random);

/* A next attempt further away than the longest interval is due now. */
bool retry_is_due(const struct retry *r, int64_t next_s, int64_t now_s);

/* Older than the lifetime and tried at least RETRY_ATTEMPTS_MIN times.  Of an
 * arrival that lies ahead the intervals of so many attempts are the age. */
bool retry_is_over(
    const struct retry *r, int64_t arrival_s, unsigned attempts, int64_t now_s);
bool retry_is_late(const struct retry *r, int64_t arrival_s, int64_t now_s);

#endif
