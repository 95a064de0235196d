/*
 * The domain name system, as the queue needs it: libunbound in the process
 * that asks, so that answers are validated here.  A failure to find out is
 * never "there is none".
 */
#ifndef SYS_DNS_H
#define SYS_DNS_H

#include <stdint.h>

#include "mail/domain.h"
#include "mail/net.h"
#include "mail/rdata.h"
#include "mail/str.h"

enum {
	DNS_MX_MAX = 20, /* the best of them */
	DNS_ADDR_MAX = 16,
	DNS_TLSA_MAX = 16,
	DNS_QUESTION_S = 15,
	DNS_DEADLINE_S = 40 /* for all questions about one destination */
};

enum dns_policy { DNS_AUTO, DNS_REQUIRE, DNS_OFF }; /* the key dnssec */

struct dns_setup {
	const char *resolver;     /* "192.0.2.1:53"; NULL: /etc/resolv.conf */
	const char *trust_anchor; /* NULL: the distribution's */
	enum dns_policy policy;
};

enum dns_answer {
	DNS_OK = 0,
	DNS_NONE = 1,    /* the name has no such data */
	DNS_NO_NAME = 2, /* NXDOMAIN */
	DNS_LATER = 3,   /* SERVFAIL, bogus, time-out: ask again later */
	DNS_NULL = 4     /* MX: null MX, takes no mail (RFC 7505) */
};

/*
 * Before the lock-down of the asking process: reads the files.  0 or -errno,
 * logged.  Without libunbound in this build: -ENOTSUP, and every question is
 * DNS_LATER.  The first question, behind the lock-down, starts a thread.
 */
int dns_start(const struct dns_setup *setup);
void dns_end(void);

/* Probed with the first question: are answers validated?  With DNS_AUTO they
 * are not when the resolver hides signatures or there is no trust anchor;
 * with DNS_REQUIRE every answer is DNS_LATER then. */
bool dns_is_validating(void);

struct dns_mx {
	bool secure; /* the whole set was validated */
	unsigned n;  /* in order of preference, equals shuffled */
	struct {
		uint16_t preference;
		struct str host; /* A-label in lower case, in text[] */
	} v[DNS_MX_MAX];
	char text[DNS_MX_MAX * DOMAIN_MAX];
};

struct dns_addrs {
	bool secure;
	unsigned n; /* IPv6 and IPv4 in turn */
	struct netaddr v[DNS_ADDR_MAX];
	struct str canon; /* the name at the end of aliases, in text[] */
	char text[DOMAIN_MAX];
};

struct dns_tlsa {
	bool secure;
	unsigned n;
	struct rdata_tlsa v[DNS_TLSA_MAX];
};

/* Each blocks until it is known or DNS_QUESTION_S are over, or all together
 * have taken DNS_DEADLINE_S.  DNS_OK: there is one at least. */
enum dns_answer dns_mx(struct str domain, struct dns_mx *mx);
enum dns_answer dns_addrs(struct str host, struct dns_addrs *a);
/* _25._tcp.host, RFC 6698.  The usable ones of a secure set; DNS_OK and none
 * of them: the set is secure and has none.  DNS_NONE when it is not secure. */
enum dns_answer dns_tlsa(struct str host, unsigned port, struct dns_tlsa *t);

#endif
