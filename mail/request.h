/*
 * What smtpd and deliver say to each other over a SOCK_SEQPACKET socket.
 *
 * A record is one letter and fields that each end in NUL.  One connection
 * serves one SMTP session.
 *
 *   to deliver                                       answer
 *   U uid                                            u name
 *   A uid reverse-path                               a verdict name
 *   L flags local-part domain reverse-path           g mailboxes sender forwards,
 *                                                    then l verdict
 *   R flags local-part domain address                (none; one per recipient)
 *   S start size reverse-path + the message's fd     s verdict, one for each R
 *                                                    in their order
 *   M reverse-path content                           likewise
 *
 *   flags     of enum request_flags, in decimal
 *   domain    A-label form, may be empty for a bare name
 *   address   as it goes into Delivered-To
 *   start     where in the file the message begins; 0: it is all of the file
 *   verdict   three fields: fate (D, L, N or F), status (5.1.1), text
 *
 * A asks whether this user may send as that address, text as above, and who he
 * is; who cannot be looked up now has no name, and the verdict is L.
 *
 * L asks at RCPT whether the recipient can be had; F says that it leads to
 * addresses of other hosts, and only then g comes before: "1" if it leads to
 * mailboxes too, else "0"; the sender's reverse-path as SRS rewrites it
 * (empty: it stays as it is); and behind these fields, for each address, itself
 * and the reverse-path that its mail must have (empty: the sender's), each
 * ended by NUL.  Whoever queues for them says so in R: REQUEST_FORWARDED, and
 * above the flags request_sum of the forwards that he was told.  R repeats the
 * recipient for the message at hand: deliver believes nothing that it has not
 * looked up itself.  A small message comes whole in M, behind the NUL of its
 * only field: it costs no file.  With the first R the connection holds a
 * worker, until S or M is answered, the connection ends, or ten seconds pass
 * (not counting lookups, but never more than five minutes).  Who does not take
 * a verdict for ten seconds is hung up on, the message stored or not.  When
 * one of the recipients cannot be settled now (L or F) nothing is stored for
 * any of them and no verdict is D: those that could have been stored are L.
 *
 * The reverse-path is text without brackets, empty for the null one.
 */
#ifndef MAIL_REQUEST_H
#define MAIL_REQUEST_H

#include "mail/str.h"

enum {
	REQUEST_MAX = 2048, /* octets of one record, without content */
	REQUEST_CONTENT_MAX = 64 * 1024, /* octets that M may bring */
	REQUEST_WHOLE_MAX = REQUEST_MAX + REQUEST_CONTENT_MAX,
	REQUEST_FIELDS = 4,
	REQUEST_TEXT_MAX = 160,          /* octets of a verdict's text */
	REQUEST_FORWARDS_MAX = 40 * 1024 /* octets of forwards */
};

enum request_flags {
	REQUEST_LOCAL = 1,     /* submitted on the unix socket */
	REQUEST_RELAY = 2,     /* only L: is he in relay-recipients? */
	REQUEST_FORWARDED = 4, /* only R */
	REQUEST_SUM_SHIFT = 8,
	REQUEST_SUM_MASK = 0xffffff
};

/* One row per letter: what a record must look like, and when it may come. */
struct request_rule {
	char letter;
	unsigned char nfields;
	bool fd;   /* exactly one descriptor must come with it */
	bool idle; /* allowed when no R is open */
	bool open; /* allowed after an R */
	bool answered;
	bool content; /* octets of any kind follow the fields */
};
extern const struct request_rule request_rules[]; /* ends with letter 0 */
const struct request_rule *request_rule(char letter);

struct request {
	const struct request_rule *rule; /* NULL for an answer */
	char letter;
	struct str field[REQUEST_FIELDS]; /* views into the record */
	struct str content;
};

enum { REQUEST_BAD = 1 };

/* Splits a record to deliver by its rule.  0 or REQUEST_BAD. */
int request_parse(struct str record, struct request *r);

/* Splits an answer, letter and nfields expected.  0 or REQUEST_BAD. */
int request_answer(
    struct str record, char letter, unsigned nfields, struct request *r);

/* Starts a record; then one request_field for each field.  A field with a NUL
 * in it, or one that does not fit, sets b->full. */
void request_begin(struct buf *b, char letter);
void request_field(struct buf *b, struct str field);

/* What g brings.  A view. */
struct forwards {
	bool mailboxes;
	struct str sender; /* rewritten, or empty */
	struct str list;   /* for request_forward */
};

/* The next address off the front of *list.  0, or REQUEST_BAD: there is none,
 * or not a whole one. */
int request_forward(struct str *list, struct str *address, struct str *owner);

/* A number that tells one list from another. */
uint32_t request_sum(struct str list);

/* Splits a record g.  0 or REQUEST_BAD. */
int request_forwards(struct str record, struct forwards *f);

enum verdict_kind {
	VERDICT_DONE, /* can be, or has been, stored */
	VERDICT_LATER,
	VERDICT_NEVER,
	VERDICT_FORWARD /* goes to other hosts too */
};

struct verdict {
	enum verdict_kind kind;
	struct str status; /* "5.1.1" */
	struct str text;   /* printable ASCII */
};

void verdict_put(struct buf *b, const struct verdict *v);    /* 3 fields */
int verdict_get(const struct request *r, struct verdict *v); /* 0 or BAD */

#endif
