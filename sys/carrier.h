/*
 * A process that calls one destination: it finds the hosts, connects, and
 * carries one message after the other over the same connection.  The pass
 * (sys/pass.h) feeds it and hears what became of each recipient.
 *
 * Records over a SEQPACKET socket, letter and NUL-terminated fields
 * (mail/request.h's request_begin and request_field write them):
 *
 *	to the carrier
 *	M id nrcpt + the message's descriptor	a message, its file locked by
 *						the pass; then nrcpt times
 *	R offset				where a recipient begins in it
 *	(the end of the socket: no more messages)
 *
 *	from the carrier
 *	A					ready for a message
 *	V index fate status text remote tls	the fate of a recipient of the
 *						message at hand, in any order:
 *						D done, W done at a hop that
 *						knows no DSN, L later, N never
 *	E					all of this message are told
 *	X status text				the destination is out of reach:
 *						later for this and all others
 *	J line					for the log, when the pass has
 *						diverted its own (sys/log.h)
 *
 * Recipients that no V told of are "later".  Every record from a carrier is
 * doubted: it has talked to strangers.
 */
#ifndef SYS_CARRIER_H
#define SYS_CARRIER_H

#include "mail/hop.h"
#include "mail/str.h"
#include "sys/conf.h"
#include "sys/dns.h"

enum {
	CARRIER_HOPS = 16,     /* failover list */
	CARRIER_RECORD = 1280, /* a line of the log and its letter */
	CARRIER_LINE = 998     /* octets of a line of text, RFC 5321 */
};

struct carrier {
	struct str hostname; /* for EHLO */
	struct str domain;   /* MX look-up; empty: hops */
	unsigned nhops;
	struct hop hop[CARRIER_HOPS]; /* in order of preference */
	struct dns_setup dns;
	const char *credentials; /* file of "host user password", or NULL */
	const struct conf *conf; /* for masquerade; NULL: none */
	bool smarthost;          /* ... also of rules that name no hop */
};

/* Reads what is read from files, the passwords unless they are there already
 * or not wanted, and locks this process in.  0 or -errno. */
int carrier_prepare(const struct carrier *c, bool have_passwords);

/* Forked by the pass, serves `sock` until its end, then returns. */
void carrier_serve(int sock, const struct carrier *c);

#endif
