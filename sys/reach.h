/*
 * Which hosts a destination has, at which addresses, in which order, and how
 * each must be spoken to: RFC 5321 5.1, RFC 7505, DANE of RFC 7672.  A way is
 * looked up when the ones before it have been used, equals together.
 *
 *	reach_start();				before the lock-down
 *	reach_begin(&r, &carrier);
 *	while (reach_next(&r, &way) == 0)
 *		try it; leave the loop when it serves
 *	no way at all: r.verdict says why, else it is the ways that failed
 */
#ifndef SYS_REACH_H
#define SYS_REACH_H

#include "mail/hop.h"
#include "mail/net.h"
#include "mail/rdata.h"
#include "sys/carrier.h"
#include "sys/dns.h"

enum reach_tls {
	REACH_TLS_HOP, /* as hop.tls says */
	REACH_TLS_ANY, /* TLS or not at all, certificate not looked at */
	REACH_TLS_DANE /* TLS or not at all, certificate as tlsa says */
};

/* Views live until the next call of reach_next. */
struct reach_way {
	struct hop hop;      /* host: its name, literal, or path; port, kind */
	struct netaddr addr; /* not with hop.unix_socket */
	bool secure;         /* name and address were validated */
	bool named;          /* the name was: nobody can have made it up */
	enum reach_tls tls;
	struct str base;               /* name for SNI and for certificates */
	const struct rdata_tlsa *tlsa; /* the usable ones, with DANE */
	unsigned ntlsa;
};

struct reach_verdict {
	bool never;         /* no later attempt will help: bounce */
	const char *status; /* "5.1.2" */
	const char *text;   /* constant, printable ASCII */
};

enum { REACH_END = 1 };

/* Private but for verdict and given; large: static or one of its kind. */
struct reach {
	const struct carrier *carrier;
	struct reach_verdict verdict;  /* with REACH_END, when given is 0 */
	unsigned given;                /* ways so far */
	bool blind;                    /* a host could not be looked up */
	bool refused;                  /* ... or has forbidden addresses only */
	unsigned host, group_end, end; /* of mx, or of carrier->hop */
	const struct dns_addrs *at;    /* of the host at hand; next: addr */
	unsigned addr;
	struct dns_mx mx;
	struct dns_addrs addrs[DNS_MX_MAX];
	enum dns_answer found[DNS_MX_MAX];
	struct reach_way way; /* of the host at hand */
	struct dns_tlsa tlsa;
};

/* Before the lock-down: the addresses that are ours.  0 or -errno, logged. */
int reach_start(void);

/* dns_start and reach_start have been called.  *c must outlive *r.  0, or
 * REACH_END: there is no way, see r->verdict. */
int reach_begin(struct reach *r, const struct carrier *c);

/* 0 and the next way, or REACH_END. */
int reach_next(struct reach *r, struct reach_way *way);

#endif
