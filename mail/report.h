/*
 * Delivery status notifications: multipart/report as RFC 3464, 3461 6 and
 * 6522 want it (RFC 6533 for addresses beyond ASCII).  Failure, delay,
 * delivered, relayed: one report tells about one message.
 */
#ifndef MAIL_REPORT_H
#define MAIL_REPORT_H

#include <stdint.h>

#include "mail/qfile.h"
#include "mail/str.h"

enum {
	REPORT_OCTETS_MAX = 64 * 1024, /* of the original, with RET=FULL */
	REPORT_HEADER_MAX = 32 * 1024  /* of its header, otherwise */
};

enum report_action {
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,
	REPORT_RELAYED
};

struct report {
	struct str hostname; /* ours: Reporting-MTA, From: MAILER-DAEMON@ */
	struct str id;       /* of the message in the queue */
	struct str to;       /* its reverse-path */
	struct str envid;    /* xtext, as it came; decoded here */
	int64_t arrival_s, now_s;
	int offset_minutes; /* of the dates */
	int64_t until_s;    /* delayed: Will-Retry-Until */
	bool utf8;          /* the original was SMTPUTF8 */
	bool full;          /* the whole original follows, not its header */
};

struct report_rcpt {
	enum report_action action;
	struct str address, orcpt;
	struct str code;   /* "5.1.1" */
	struct str text;   /* what was said; "smtp; 550 5.1.1 ..." when... */
	struct str remote; /* ... this hop said it; empty: we did */
	int64_t last_attempt_s;
};

/*
 * The report in pieces, each appended to b, LF line ends: begin (header and
 * the part for people up to the recipients), for_people for each recipient,
 * machine (the start of message/delivery-status), for_machines for each,
 * original (the start of the last part), then the caller's copy of the
 * original, header only or whole, and end.  The boundary is made of the id
 * and does not occur in what was built.
 */
void report_begin(
    struct buf *b, const struct report *r, enum report_action gravest);
void report_for_people(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt);
void report_machine(struct buf *b, const struct report *r);
void report_for_machines(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt);
void report_original(struct buf *b, const struct report *r);
void report_end(struct buf *b, const struct report *r);

/* Must this recipient's fate be told to the sender?  NOTIFY of RFC 3461 4.1:
 * without it failures and delays are told, successes are not. */
bool report_is_wanted(unsigned notify, enum report_action action);

/* True for a sender who must never be sent one: <>, MAILER-DAEMON, #@[]. */
bool report_is_mute(struct str sender);

#endif
