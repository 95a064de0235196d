/*
 * Delivery status notifications, RFC 3464: what a report is made of.
 *
 * Addresses, replies and identifiers come from strangers.  All of them go
 * through escape_put, behind a name or an indent: a line begins with our own
 * octets or with those of the original, which report_copy looks after.  No
 * line of ours begins with "--" but the boundaries, and hence nothing but a
 * boundary is one.
 */
#include "mail/report.h"

#include "mail/domain.h"
#include "mail/escape.h"
#include "mail/trace.h"

enum { ID_MAX = 40 };

static void put_date(struct buf *b, const struct report *r, int64_t when_s)
{
	date_put(b, when_s, r->offset_minutes);
}

static void field_date(
    struct buf *b, const char *name, const struct report *r, int64_t when_s)
{
	buf_putz(b, name);
	put_date(b, r, when_s);
	buf_putc(b, '\n');
}

static void put_boundary(struct buf *b, const struct report *r)
{
	buf_putz(b, REPORT_MARK);
	escape_token(b, r->id, ID_MAX);
}

static void part(struct buf *b, const struct report *r)
{
	buf_putz(b, "\n--");
	put_boundary(b, r);
	buf_putc(b, '\n');
}

static void part_type(struct buf *b, const char *type, const char *encoding)
{
	buf_putz(b, "Content-Type: ");
	buf_putz(b, type);
	buf_putz(b, "\nContent-Transfer-Encoding: ");
	buf_putz(b, encoding);
	buf_putz(b, "\n\n");
}

bool report_is_quoted(const struct report *r)
{
	return !r->plain && !r->full && !r->utf8;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7e)
			return false;
	return true;
}

bool report_is_8bit(const struct report *r)
{
	return r->utf8 || (r->full && !r->plain);
}

bool report_is_utf8(const struct report *r)
{
	return r->utf8 && !is_ascii(r->to);
}

/* --- the header and the words -------------------------------------------- */

static const struct {
	const char *subject, *summary;
} words[] = {
	[REPORT_FAILED] = { "Your message could not be delivered",
	    "A message of yours could not be delivered to everyone it was "
	    "for.  It will\nnot be tried again for those named here.\n" },
	[REPORT_DELAYED] = { "Your message is delayed",
	    "A message of yours has not reached everyone it is for yet.  It "
	    "is still\nbeing tried: there is no need to send it again.\n" },
	[REPORT_DELIVERED] = { "Your message was delivered",
	    "A message of yours has arrived.  You asked to be told; there is "
	    "nothing\nto do.\n" },
	[REPORT_RELAYED] = { "Your message was passed on",
	    "A message of yours was passed on to another mail system, which "
	    "does not\nreport successful delivery: you will only hear of it "
	    "if it fails there.\nYou asked to be told; there is nothing to "
	    "do.\n" },
};

void report_begin(
    struct buf *b, const struct report *r, enum report_action gravest)
{
	buf_putz(b, "From: Mail Delivery System <MAILER-DAEMON@");
	escape_token(b, r->hostname, DOMAIN_MAX);
	buf_putz(b, ">\nTo: <");
	escape_put(b, r->to, r->utf8);
	buf_putz(b, ">\nSubject: ");
	buf_putz(b, words[gravest].subject);
	buf_putc(b, '\n');
	field_date(b, "Date: ", r, r->now_s);
	buf_putz(b, "Message-ID: <");
	escape_token(b, r->id, ID_MAX);
	buf_putz(b, "-report-");
	buf_u64(b, (uint64_t)r->now_s);
	buf_putc(b, '@');
	escape_token(b, r->hostname, DOMAIN_MAX);
	buf_putz(b, ">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
		    "Content-Type: multipart/report; "
		    "report-type=delivery-status;\n\tboundary=\"");
	put_boundary(b, r);
	buf_putz(b, "\"\nContent-Transfer-Encoding: ");
	buf_putz(b, report_is_8bit(r) ? "8bit\n" : "7bit\n");
	part(b, r);
	part_type(b,
	    r->utf8 ? "text/plain; charset=utf-8"
		    : "text/plain; charset=us-ascii",
	    r->utf8 ? "8bit" : "7bit");
	buf_putz(b, "This is the mail system of ");
	escape_token(b, r->hostname, DOMAIN_MAX);
	buf_putz(b, ".\n\n");
	buf_putz(b, words[gravest].summary);
	buf_putz(b, "It was accepted here on ");
	put_date(b, r, r->arrival_s);
	buf_putz(b, ".\n");
}

/* --- the machine's part -------------------------------------------------- */

void report_machine(struct buf *b, const struct report *r)
{
	buf_putz(b, "\nWhat follows is the same for programs, and then ");
	buf_putz(b, r->full ? "your message.\n"
			    : "the header of your\nmessage, to know it by.\n");
	part(b, r);
	part_type(b,
	    r->utf8 ? "message/global-delivery-status"
		    : "message/delivery-status",
	    r->utf8 ? "8bit" : "7bit");
	buf_putz(b, "Reporting-MTA: dns; ");
	escape_token(b, r->hostname, DOMAIN_MAX);
	buf_putc(b, '\n');
	if (r->envid.n > 0) {
		buf_putz(b, "Original-Envelope-Id: ");
		escape_xtext(b, r->envid, r->utf8);
		buf_putc(b, '\n');
	}
	field_date(b, "Arrival-Date: ", r, r->arrival_s);
}

static bool status_valid(struct str s)
{
	struct str number;

	if (s.n > 0 && s.p[s.n - 1] == '.')
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (!str_cut(&s, '.', &number) || number.n < 1 ||
		    number.n > 3 || (number.n > 1 && number.p[0] == '0'))
			return false;
		for (size_t k = 0; k < number.n; k++)
			if (!str_isdigit(number.p[k]))
				return false;
	}
	return s.n == 0;
}

/* A failure may be one that was temporary for too long. */
static void put_status(struct buf *b, const struct report_rcpt *rcpt)
{
	static const struct {
		struct str classes, otherwise;
	} rows[] = {
		[REPORT_FAILED] = { { "54", 2 }, { "5.0.0", 5 } },
		[REPORT_DELAYED] = { { "4", 1 }, { "4.0.0", 5 } },
		[REPORT_DELIVERED] = { { "2", 1 }, { "2.0.0", 5 } },
		[REPORT_RELAYED] = { { "2", 1 }, { "2.0.0", 5 } },
	};
	struct str classes = rows[rcpt->action].classes;

	if (status_valid(rcpt->code) &&
	    str_find(classes, rcpt->code.p[0]) < classes.n &&
	    rcpt->code.p[1] == '.')
		buf_put(b, rcpt->code);
	else
		buf_put(b, rows[rcpt->action].otherwise);
}

/* The addr-type of an ORCPT is an atom. */
static void field_original(
    struct buf *b, const struct report *r, struct str orcpt)
{
	size_t semi = str_find(orcpt, ';');

	if (orcpt.n == 0)
		return;
	buf_putz(b, "Original-Recipient: ");
	if (semi == orcpt.n || semi == 0)
		buf_putz(b, "rfc822");
	else
		escape_token(b, str_head(orcpt, semi), ID_MAX);
	buf_putc(b, ';');
	escape_xtext(
	    b, semi == orcpt.n ? orcpt : str_skip(orcpt, semi + 1), r->utf8);
	buf_putc(b, '\n');
}

/* A host by its name or address; a socket of this machine is neither. */
static void field_remote(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt)
{
	char room[DOMAIN_MAX];
	struct buf name = BUF(room);
	bool dns = literal_valid(rcpt->remote) ||
		   domain_ascii(rcpt->remote, &name) == 0;

	if (rcpt->remote.n == 0)
		return;
	buf_putz(b, dns ? "Remote-MTA: dns; " : "Remote-MTA: x-local; ");
	escape_put(b, rcpt->remote, r->utf8);
	buf_putc(b, '\n');
	if (rcpt->text.n == 0)
		return;
	buf_putz(b, "Diagnostic-Code: ");
	if (!str_startscase(rcpt->text, STR("smtp;")))
		buf_putz(b, "smtp; ");
	escape_put(b, rcpt->text, r->utf8);
	buf_putc(b, '\n');
}

void report_for_machines(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt)
{
	static const char *const actions[] = {
		[REPORT_FAILED] = "failed",
		[REPORT_DELAYED] = "delayed",
		[REPORT_DELIVERED] = "delivered",
		[REPORT_RELAYED] = "relayed",
	};

	buf_putc(b, '\n');
	field_original(b, r, rcpt->orcpt);
	buf_putz(b, is_ascii(rcpt->address) ? "Final-Recipient: rfc822;"
					    : "Final-Recipient: utf-8;");
	escape_address(b, rcpt->address, r->hostname, r->utf8);
	buf_putz(b, "\nAction: ");
	buf_putz(b, actions[rcpt->action]);
	buf_putz(b, "\nStatus: ");
	put_status(b, rcpt);
	buf_putc(b, '\n');
	field_remote(b, r, rcpt);
	if (rcpt->last_attempt_s > 0)
		field_date(b, "Last-Attempt-Date: ", r, rcpt->last_attempt_s);
	if (rcpt->action == REPORT_DELAYED && r->until_s > 0)
		field_date(b, "Will-Retry-Until: ", r, r->until_s);
}

/* --- the original -------------------------------------------------------- */

void report_original(struct buf *b, const struct report *r)
{
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/rfc822" },
		{ "message/global-headers", "message/global" },
	};

	part(b, r);
	if (report_is_quoted(r))
		part_type(b, "text/rfc822-headers; charset=utf-8",
		    "quoted-printable");
	else
		part_type(b, types[r->utf8][r->full],
		    report_is_8bit(r) ? "8bit" : "7bit");
}

void report_end(struct buf *b, const struct report *r)
{
	buf_putz(b, "\n--");
	put_boundary(b, r);
	buf_putz(b, "--\n");
}

bool report_is_wanted(unsigned notify, enum report_action action)
{
	static const unsigned asked[] = {
		[REPORT_FAILED] = NOTIFY_FAILURE,
		[REPORT_DELAYED] = NOTIFY_DELAY,
		[REPORT_DELIVERED] = NOTIFY_SUCCESS,
		[REPORT_RELAYED] = NOTIFY_SUCCESS,
	};

	if (notify == 0)
		notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	return (notify & NOTIFY_NEVER) == 0 && (notify & asked[action]) != 0;
}

bool report_is_mute(struct str sender)
{
	static const struct str daemon = { "MAILER-DAEMON", 13 };

	return sender.n == 0 || str_eq(sender, STR("<>")) ||
	       str_eq(sender, STR("#@[]")) || str_eqcase(sender, daemon) ||
	       (str_startscase(sender, daemon) && sender.p[daemon.n] == '@');
}
