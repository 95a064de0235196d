/*
 * What is told to the resolver library: the address of a server, and the keys
 * in a trust anchor file.
 */
#ifndef MAIL_RESOLVER_H
#define MAIL_RESOLVER_H

#include "mail/net.h"
#include "mail/str.h"

enum {
	RESOLVER_TEXT_MAX = NET_TEXT_MAX + 8,
	RESOLVER_ANCHOR_MAX = 2048, /* octets of a record */
	RESOLVER_NO_MORE = 1
};

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53" appended
 * as "192.0.2.1@53".  0 or -EINVAL (then *b is as it was). */
int resolver_put(struct buf *b, struct str s);

/*
 * Takes the next DS or DNSKEY record off *text into b, NUL-terminated: one a
 * line, `;` comments.  In a file kept by RFC 5011, whose lines end with
 * ";;state=N", keys that are pending, revoked or removed are passed over.
 * 0, RESOLVER_NO_MORE, or -EINVAL: a line is too long.
 */
int resolver_anchor(struct str *text, struct buf *b);

#endif
