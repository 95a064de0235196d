/*
 * Which of a domain's mail exchangers remain, and which addresses a message
 * may be sent to: RFC 5321 5.1.
 */
#ifndef MAIL_MX_H
#define MAIL_MX_H

#include <stdint.h>

#include "mail/net.h"
#include "mail/str.h"

/*
 * Exchangers in order of preference, of which `us` is ourselves: that one,
 * its equals and all behind them would send the message back.  How many
 * remain at the front.
 */
unsigned mx_before(const uint16_t *preference, unsigned n, unsigned us);

/* Behind the equals of the one at `i`. */
unsigned mx_group_end(const uint16_t *preference, unsigned n, unsigned i);

/*
 * The best of a set, while it is read: where the next one belongs, by its
 * preference, among equals by lot (RFC 5321 5.1 wants them in random order);
 * `max` when that is behind `max` better ones.  The places behind move up,
 * the last of a full ranking is lost.
 */
enum { MX_RANK_MAX = 32 };
struct mx_ranking {
	unsigned n, max; /* at most MX_RANK_MAX */
	struct {
		uint16_t preference;
		uint32_t lot;
	} v[MX_RANK_MAX];
};
unsigned mx_rank(struct mx_ranking *r, uint16_t preference, uint32_t lot);

/* Unspecified, loopback, link-local, multicast, broadcast, reserved: nobody
 * else's machine is there. */
bool mx_addr_is_nowhere(const struct netaddr *a);

/* In place: IPv6 and IPv4 in turn, each in the order it came; IPv6 first.
 * At most MX_ADDR_MAX. */
enum { MX_ADDR_MAX = 64 };
void mx_take_turns(struct netaddr *v, unsigned n);

#endif
