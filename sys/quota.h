/*
 * How much each local user has sent of late: submission-rate of
 * postern.conf(5).  Whoever has sent nothing for the time of a limit may send
 * all that it allows at once, and then as fast as it allows for long.
 */
#ifndef SYS_QUOTA_H
#define SYS_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/conf.h"

enum { QUOTA_USERS = 4096 };

enum quota_answer {
	QUOTA_MESSAGES = 1, /* no more messages now */
	QUOTA_OCTETS        /* no more octets */
};

/* When all of a limit is there again, by its own clock; 0: it is. */
struct quota_user {
	uint32_t uid;
	int64_t messages_us, octets_us;
};

struct quota {
	unsigned n;
	struct quota_user user[QUOTA_USERS];
};

/* He begins a message, which is counted.  0 or an enum quota_answer. */
int quota_begin(
    struct quota *q, const struct conf_rate *r, uint32_t uid, int64_t now_us);

/* One of his was taken, so large: those behind it pay for it. */
void quota_pay(struct quota *q, const struct conf_rate *r, uint32_t uid,
    uint64_t octets, int64_t now_us);

/* Nothing would be forgotten. */
bool quota_is_clear(const struct quota *q, int64_t now_us);

/*
 * Why the limits that *r sets do not hold in an smtpd that has no accept loop
 * (inetd, Accept=yes); NULL: there are none.
 */
const char *quota_gap(const struct conf_rate *r);

#endif
