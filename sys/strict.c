/*
 * What is asked of a connection, in the order in which it can be missing.
 * Most mail asks for none of it, so that nobody's certificate is verified
 * before a message comes that does.
 */
#include "sys/strict.h"

#include <errno.h>

#include "sys/tls-client.h"

enum lack { CLEAR, UNNAMED, STRANGER, UNKNOWN, UNAWARE };

/* clang-format off */
static const struct strict_lack lacks[] = {
	[CLEAR]    = { "5.7.10", "REQUIRETLS: there is no TLS", true },
	[UNNAMED]  = { "5.7.10", "REQUIRETLS: the DNS does not tell for sure "
		       "which hosts the domain has", true },
	[STRANGER] = { "5.7.10", "REQUIRETLS: not proved to be the host it "
		       "must be", true },
	[UNKNOWN]  = { "5.7.10", "REQUIRETLS: certificates cannot be verified "
		       "here", false },
	[UNAWARE]  = { "5.7.30", "REQUIRETLS is not offered", true },
};
/* clang-format on */

/* TLS was there to be had, and failed: it may not fail again. */
static bool tls_failed(const struct call *c)
{
	return c->client.clear_for_good ||
	       (c->client.has.have & EXTENSION_STARTTLS) != 0;
}

static bool prove(struct call *c, bool sure, struct strict_lack *lack)
{
	const struct hop *hop = &c->way->hop;
	char address[NET_TEXT_MAX];
	struct buf literal = BUF(address);
	struct netaddr a;
	int rc;

	if (!c->way->named) {
		*lack = lacks[UNNAMED];
		lack->lasting = sure;
		return false;
	}
	if (hop_literal(hop, &a))
		netaddr_put(&literal, &a);
	rc = tls_client_vouch(literal.n > 0 ? buf_str(&literal) : hop->host);
	if (rc == 0)
		c->level = CALL_VERIFIED;
	else
		*lack = lacks[rc == -EACCES ? STRANGER : UNKNOWN];
	return rc == 0;
}

bool strict_suits(struct call *c, const struct qfile_head *h, bool sure,
    struct strict_lack *lack)
{
	bool promises = (c->client.has.have & EXTENSION_REQUIRETLS) != 0;

	*lack = (struct strict_lack){ .status = NULL };
	if (!h->requiretls || c->setup.is_exempt)
		return true;
	if (!c->over_tls) {
		*lack = lacks[CLEAR];
		lack->lasting = !tls_failed(c);
		return false;
	}
	if (c->level < CALL_VERIFIED && !prove(c, sure, lack))
		return false;
	/* RFC 8689 5: a report is not lost for want of the promise. */
	if (!promises && h->sender.n > 0) {
		*lack = lacks[UNAWARE];
		return false;
	}
	c->setup.vouched = true;
	return true;
}
