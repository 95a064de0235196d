/*
 * A limit of n in a time is a step of time/n for each: the clock of a user
 * runs ahead of ours by the steps that he took, and never by more than the
 * time.
 */
#include "sys/quota.h"

enum { SECOND_US = 1000 * 1000 };

static bool is_clear(const struct quota_user *u, int64_t now_us)
{
	return u->messages_us <= now_us && u->octets_us <= now_us;
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* His, or a new one in the place of whoever loses least by it. */
static struct quota_user *user_of(struct quota *q, uint32_t uid, int64_t now_us)
{
	struct quota_user *least = NULL;
	int64_t least_us = 0;

	for (unsigned i = 0; i < q->n; i++) {
		struct quota_user *u = &q->user[i];
		int64_t until_us = later_of(u->messages_us, u->octets_us);

		if (u->uid == uid)
			return u;
		if (!least || until_us < least_us) {
			least = u;
			least_us = until_us;
		}
	}
	if (q->n < QUOTA_USERS && (!least || !is_clear(least, now_us)))
		least = &q->user[q->n++];
	*least = (struct quota_user){ .uid = uid };
	return least;
}

static int64_t window_us(unsigned seconds)
{
	return (int64_t)seconds * SECOND_US;
}

int quota_begin(
    struct quota *q, const struct conf_rate *r, uint32_t uid, int64_t now_us)
{
	struct quota_user *u = user_of(q, uid, now_us);
	int64_t whole = window_us(r->messages_s), at, step;

	if (r->octets > 0 && u->octets_us - now_us >= window_us(r->octets_s))
		return QUOTA_OCTETS;
	if (r->messages == 0)
		return 0;
	step = whole / (int64_t)r->messages;
	at = later_of(u->messages_us, now_us);
	if (at - now_us > whole - step)
		return QUOTA_MESSAGES;
	u->messages_us = at + step;
	return 0;
}

void quota_pay(struct quota *q, const struct conf_rate *r, uint32_t uid,
    uint64_t octets, int64_t now_us)
{
	struct quota_user *u = user_of(q, uid, now_us);
	double share, whole = (double)window_us(r->octets_s);

	if (r->octets == 0)
		return;
	share = (double)octets / (double)r->octets;
	u->octets_us =
	    later_of(u->octets_us, now_us) + (int64_t)(share * whole);
}

bool quota_is_clear(const struct quota *q, int64_t now_us)
{
	for (unsigned i = 0; i < q->n; i++)
		if (!is_clear(&q->user[i], now_us))
			return false;
	return true;
}

const char *quota_gap(const struct conf_rate *r)
{
	return r->messages == 0 && r->octets == 0
		   ? NULL
		   : "submission-rate holds only in a listening smtpd: here "
		     "each connection is a process that knows no other";
}
