/*
 * Delivery status notifications: multipart/report as RFC 3464, 3461 6 and
 * 6522 want it (RFC 6533 for addresses beyond ASCII).  Failure, delay,
 * delivered, relayed: one report tells about one message.
 */
#ifndef MAIL_REPORT_H
#define MAIL_REPORT_H

#include <stdint.h>

#include "mail/qfile.h"
#include "mail/qp.h"
#include "mail/str.h"

enum {
	REPORT_OCTETS_MAX = 64 * 1024, /* of the original, with RET=FULL */
	REPORT_HEADER_MAX = 32 * 1024, /* of its header, otherwise */
	REPORT_PIECE_MAX = 8192        /* what one call below appends at most */
};

/* What our boundaries begin with, behind "--". */
#define REPORT_MARK "=_postern_"

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
	bool plain; /* report_is_plain of the original, or of its header */
};

struct report_rcpt {
	enum report_action action;
	struct str address, orcpt;
	struct str code;   /* "5.1.1" */
	struct str text;   /* what was said, "550 5.1.1 no such user"... */
	struct str remote; /* ... by this hop; empty: by us */
	int64_t last_attempt_s;
};

/*
 * The report in pieces, each appended to b, LF line ends: begin (header and
 * the part for people up to the recipients), for_people for each recipient,
 * machine (the start of message/delivery-status), for_machines for each,
 * original (the start of the last part), then the original through
 * report_copy, and end.  Whatever the fields hold, no octet of them begins a
 * line, and none but printing ASCII (or UTF-8, for a report with utf8) is put
 * out; what is longer than anything SMTP allows is cut.
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

/* Has the report octets beyond ASCII: does it need BODY=8BITMIME?  And does
 * it need SMTPUTF8? */
bool report_is_8bit(const struct report *r);
bool report_is_utf8(const struct report *r);
/* Is the copy of the header encoded, so that the report stays 7-bit? */
bool report_is_quoted(const struct report *r);

enum { REPORT_COPY_ROOM = 32 };

/* All zero is the start of a message. */
struct report_copy {
	bool over;      /* enough: nothing more is copied */
	bool within;    /* a line of the original has begun */
	size_t noctets; /* taken so far */
	size_t column;  /* octets of the line being read */
	size_t
	    nmatched; /* of its first octets, that are those of a boundary, held */
	struct qp qp; /* how a header that is not plain goes out */
};

/*
 * Copies the next octets of the original (LF line ends, from its very start)
 * while *out has REPORT_COPY_ROOM free; returns how many were taken.  Ends
 * before the body unless r->full, and at the limits above.  A header that is
 * not plain is encoded; in a whole message that is not plain long lines are
 * broken; where a line begins as our boundary does, a blank goes before it.
 */
size_t report_copy(struct report_copy *c, const struct report *r, struct str in,
    struct buf *out);
void report_copy_finish(
    struct report_copy *c, const struct report *r, struct buf *out);

/* May the octets be sent as they are: ASCII without NUL and CR, and no line
 * over 998?  In pieces; *column is 0 at the start. */
bool report_is_plain(size_t *column, struct str piece);

/* Must this recipient's fate be told to the sender?  NOTIFY of RFC 3461 4.1:
 * without it failures and delays are told, successes are not. */
bool report_is_wanted(unsigned notify, enum report_action action);

/* True for a sender who must never be sent one: <>, MAILER-DAEMON, #@[]. */
bool report_is_mute(struct str sender);

#endif
