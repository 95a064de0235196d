/*
 * Where mail for an address goes: to a mailbox here, to the next hop that the
 * configuration names, or to the hosts of the domain name system.
 */
#ifndef SYS_ROUTE_H
#define SYS_ROUTE_H

#include "mail/addr.h"
#include "sys/carrier.h"
#include "sys/conf.h"

/* Of the text that tells one destination from another. */
enum { ROUTE_KEY_MAX = ADDR_TEXT_MAX + 1 };

enum route_answer {
	ROUTE_BAD = 1 /* not an address that mail can be sent to */
};

/* The key of the destination of local@domain or of a bare local name, in mail
 * of this sender: equal keys share connections.  0 or ROUTE_BAD. */
int route_key(const struct conf *c, struct str sender, struct str address,
    struct buf *key);

/*
 * What a carrier for this key needs; views into the key, the configuration
 * and `room`, which must live as long.
 */
void route_carrier(const struct conf *c, struct str key, struct buf *room,
    struct carrier *carrier);

/* The key's first hop speaks LMTP: what it took is in a mailbox. */
bool route_is_final(const struct conf *c, struct str key);

/* A key for people: "away.example", "smarthost", "local". */
struct str route_name(struct str key);

#endif
