/*
 * The file of one queued message: text, written front to back in one pass.
 *
 *	PQ1
 *	000001700000000		seconds since the epoch of its arrival
 *	000000			attempts so far			(changes)
 *	000000000000000		seconds: the next attempt	(changes)
 *	-			H: held				(changes)
 *	-			W: delay warning sent		(changes)
 *	12:a@here.example	reverse-path, empty: the null one
 *	3:abc			ENVID, xtext as it came
 *	4:FULL			RET: FULL, HDRS or empty
 *	8:8BITMIME		BODY: 7BIT, 8BITMIME or BINARYMIME
 *	2:su			flags: s submitted by us or ours, u SMTPUTF8,
 *				t REQUIRETLS, b a report of ours
 *	00002			recipients
 * then for each recipient
 *	N			status				(changes)
 *	0			NOTIFY, enum notify, one hexadecimal digit
 *	5.1.1....		status code, 9 octets, blank-filled	(changes)
 *	text...			last reply, 160 octets, blank-filled	(changes)
 *	14:bob@away.example	forward-path
 *	0:			ORCPT, as it came
 * then the content with LF line ends, and at the very end
 *	END 00000000000000001234 89abcdef
 *
 * with LF: the octets of the whole file before END, and the CRC-32C of those
 * of them that never change.  A value is preceded by its length and cannot
 * begin another.  What changes has a fixed place: one pwrite(2) each.
 */
#ifndef MAIL_QFILE_H
#define MAIL_QFILE_H

#include <stdint.h>

#include "mail/addr.h"
#include "mail/command.h"
#include "mail/str.h"

enum {
	QFILE_RCPT_MAX = 4096,
	QFILE_ORCPT_MAX = 500,
	QFILE_STATUS_MAX = 9,
	QFILE_TEXT_MAX = 160,
	QFILE_HEAD_MAX = 1024,    /* octets of everything before recipients */
	QFILE_RCPT_OCTETS = 1536, /* ... of one recipient */
	QFILE_END_OCTETS = 34,    /* ... of the last line, with its LF */
	/* Offsets of what changes, from the file's start ... */
	QFILE_AT_ATTEMPTS = 20,
	QFILE_AT_NEXT = 27,
	QFILE_AT_HELD = 43,
	QFILE_AT_WARNED = 45,
	/* ... and from where a recipient begins. */
	QFILE_AT_STATUS = 0,
	QFILE_AT_CODE = 4,
	QFILE_AT_TEXT = 14
};

/* Of a recipient; only ever forward in this order. */
enum qfile_status {
	QFILE_NEW = 'N',
	QFILE_TRIED = 'T',   /* local: being tried, the answer may be lost */
	QFILE_DONE = 'D',    /* safe elsewhere, nothing owed */
	QFILE_STORED = 'S',  /* in its mailbox, a success report owed */
	QFILE_RELAYED = 'R', /* at a hop without DSN, a report owed */
	QFILE_FAILED = 'F',  /* a bounce owed */
	QFILE_REPORTED = 'B'
};

enum qfile_body { QFILE_7BIT, QFILE_8BIT, QFILE_BINARY };

struct qfile_head {
	int64_t arrival_s, next_s;
	unsigned attempts;
	bool held, warned;
	bool submitted, utf8, requiretls, report;
	enum qfile_body body;
	char ret;          /* 'F', 'H' or 0 */
	struct str sender; /* local@domain as addr_put writes it */
	struct str envid;
	unsigned nrcpt;
};

struct qfile_rcpt {
	enum qfile_status status;
	unsigned notify;    /* mail/command.h */
	struct str code;    /* "5.1.1", empty: none yet */
	struct str text;    /* printable ASCII, without trailing blanks */
	struct str address; /* local@domain, or a bare local name */
	struct str orcpt;   /* "rfc822;..." in xtext, empty: none */
};

/* --- writing ------------------------------------------------------------- */

/* What has been put so far; all zero at the start. */
struct qfile_sum {
	uint32_t crc;
	uint64_t octets;
};

/* Appends to b and adds to *sum; what does not fit sets b->full.  The caller
 * writes b out between calls as he likes. */
void qfile_put_head(
    struct qfile_sum *sum, struct buf *b, const struct qfile_head *h);
void qfile_put_rcpt(
    struct qfile_sum *sum, struct buf *b, const struct qfile_rcpt *r);
/* Content goes past b: it is only counted. */
void qfile_add_content(struct qfile_sum *sum, struct str content);
void qfile_put_end(const struct qfile_sum *sum, struct buf *b);

/* A slot of fixed width for pwrite(2) at QFILE_AT_*: digits of attempts and
 * next attempt; a code; a text, of which only printable ASCII is kept. */
void qfile_put_attempts(struct buf *b, unsigned attempts);
void qfile_put_next(struct buf *b, int64_t next_s);
void qfile_put_code(struct buf *b, struct str code);
void qfile_put_text(struct buf *b, struct str text);

/* May a status become another?  (Forward only; T may go back to N.) */
bool qfile_may_become(enum qfile_status from, enum qfile_status to);

/* --- reading ------------------------------------------------------------- */

enum qfile_answer {
	QFILE_MORE = 1, /* more octets are needed (never with all there are) */
	QFILE_BAD = 2,  /* not such a file, or a damaged one */
	QFILE_VERSION = 3 /* "PQ" and another version: leave it alone */
};

/*
 * From the octets at the front of `in`; *used is their number.  Views into
 * `in`.  Every octet is checked: what parses is what would be written.
 * `sum`, unless NULL, goes on as in writing.
 */
int qfile_get_head(
    struct str in, struct qfile_head *h, size_t *used, struct qfile_sum *sum);
int qfile_get_rcpt(
    struct str in, struct qfile_rcpt *r, size_t *used, struct qfile_sum *sum);
/* The last QFILE_END_OCTETS of the file. */
int qfile_get_end(struct str in, uint64_t *octets, uint32_t *crc);

/* CRC-32C (Castagnoli) of more octets; 0 at the start. */
uint32_t qfile_crc(uint32_t crc, struct str s);

#endif
