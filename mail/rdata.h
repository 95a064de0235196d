/*
 * The data of DNS resource records in their wire form: RFC 1035 3.3, 3596,
 * 6698.  Names are whole (no compression: the resolver library has undone
 * it) and must be names of hosts.
 */
#ifndef MAIL_RDATA_H
#define MAIL_RDATA_H

#include <stdint.h>

#include "mail/domain.h"
#include "mail/net.h"
#include "mail/str.h"

enum { RDATA_BAD = 1 };

enum {
	RDATA_TLSA_OCTETS = 512,
	RDATA_NAME_WIRE = 255 /* RFC 1035 3.1 */
};

/* A whole name as domain_ascii writes it, appended; nothing for the root.
 * 0 or RDATA_BAD (then *out is as it was). */
int rdata_name(struct str wire, struct buf *out);

/* RFC 1035 3.3.9; a null MX (RFC 7505) appends nothing.  As rdata_name. */
int rdata_mx(struct str wire, uint16_t *preference, struct buf *host);

int rdata_a(struct str wire, struct netaddr *a);
int rdata_aaaa(struct str wire, struct netaddr *a);

struct rdata_tlsa {
	uint8_t usage, selector, matching;
	uint16_t ndata;
	uint8_t data[RDATA_TLSA_OCTETS];
};

/* RFC 6698 2.1.  What is longer than RDATA_TLSA_OCTETS is RDATA_BAD. */
int rdata_tlsa(struct str wire, struct rdata_tlsa *t);

/* RFC 7672 3.1: usages 2 and 3, a selector and a matching type that are
 * known, data of the length that they make. */
bool rdata_tlsa_usable(const struct rdata_tlsa *t);

#endif
