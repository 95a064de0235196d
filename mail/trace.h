/*
 * Trace fields: Received (RFC 5321 4.4, RFC 3848, RFC 6531 4.3, RFC 8314 7.4), Return-Path
 * and Delivered-To; and the date of RFC 5322 3.3.  Lines end in LF and are
 * folded below 78 octets where words allow.
 */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include "mail/addr.h"
#include "mail/net.h"
#include "mail/str.h"

/* "Mon, 23 Nov 2026 21:13:00 +0000"; any int64_t second is good. */
void date_put(struct buf *b, int64_t seconds, int offset_minutes);

struct trace {
	struct str helo;     /* as the client gave it, may be hostile */
	bool local;          /* unix socket: no address but a uid */
	struct netaddr peer; /* unless local */
	uint32_t uid;        /* if local */
	struct str user;     /* ... and its name, may be empty */
	struct str by;       /* our hostname */
	bool esmtp, tls, auth, utf8, lmtp; /* the with-clause */
	struct str cipher;                 /* its IANA name, or empty */
	struct str id;                     /* of this transaction */
	const struct addr *rcpt; /* for-clause, only with one recipient */
	int64_t time;            /* seconds since the epoch */
	int offset_minutes;      /* east of Greenwich */
};

/*
 * Received: from HELO ([192.0.2.1])\n\tby HOST (postern) with ESMTP id ID
 * \n\tfor <RCPT>; DATE\n.  On the unix socket: from HELO (uid 1000, user
 * alice).  A HELO that is no domain or literal is written as an escaped
 * comment, so that the field always parses.
 */
void trace_received(struct buf *b, const struct trace *t);

/* Return-Path: <reverse-path>\n, <> for the null one. */
void trace_return_path(struct buf *b, struct str reverse_path);

/* Delivered-To: address\n */
void trace_delivered_to(struct buf *b, struct str address);

#endif
