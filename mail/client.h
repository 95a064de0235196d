/*
 * The client of SMTP (RFC 5321) and LMTP (RFC 2033) as an automaton: octets of
 * the server go in, octets for it come out, and it says what it wants next.
 * It knows neither sockets nor time nor files.
 *
 * The server is a stranger.  What it says is bounded; a reply to a question
 * that was not asked, or no reply at all, ends the connection, and whoever has
 * no answer of his own by then is "later": a message is done only by a 2yz
 * that came after its end was sent, and never only by one reply of 5yz to a
 * greeting or to EHLO.
 *
 * The caller's loop, in which output is sent before anything is waited for:
 *
 *	CLIENT_REPLY	send client_output, hear, client_feed
 *	CLIENT_TLS	the handshake, then client_secured
 *	CLIENT_READY	client_begin, or client_quit
 *	CLIENT_RCPT	client_give_rcpt: the recipient client_index
 *	CLIENT_CONTENT	send the content and its end, then client_sent
 *	CLIENT_END	why is in c->end; hang up
 */
#ifndef MAIL_CLIENT_H
#define MAIL_CLIENT_H

#include "mail/extension.h"
#include "mail/qfile.h"
#include "mail/reply.h"
#include "mail/sasl.h"
#include "mail/str.h"

enum {
	CLIENT_LINE_MAX = 1536, /* octets of MAIL or RCPT, the longest */
	CLIENT_OUTPUT = 16 * 1024,
	CLIENT_HEARD_MAX = 2048, /* octets kept of one line of a reply */
	CLIENT_WINDOW = 100,     /* replies owed, when pipelining */
	CLIENT_TEXT_MAX = 160
};

enum client_want {
	CLIENT_REPLY,
	CLIENT_TLS,
	CLIENT_READY,
	CLIENT_RCPT,
	CLIENT_CONTENT,
	CLIENT_END
};

enum client_tls {
	CLIENT_TLS_NEVER, /* not even when offered: we cannot, or tried */
	CLIENT_TLS_MAY,
	CLIENT_TLS_MUST,
	CLIENT_TLS_IS /* from the first octet */
};

/* The fate of a recipient. */
enum client_fate {
	CLIENT_DONE,    /* by a hop that knows DSN */
	CLIENT_RELAYED, /* by one that does not */
	CLIENT_LATER,
	CLIENT_NEVER
};

struct client_setup {
	bool lmtp;
	enum client_tls tls;
	struct str hostname; /* for EHLO */
	bool is_exempt;      /* REQUIRETLS asks nothing of it: a unix socket */
	bool vouched;        /* it has proved who it is: REQUIRETLS */
	bool probe;          /* no DATA: a 2yz to RCPT is the fate */
	const struct sasl_secret *secret; /* NULL: no AUTH */
	/* Told once for each recipient; text is printable ASCII and begins with
	 * the code of the reply when `said` by the server. */
	void (*tell)(void *arg, unsigned index, enum client_fate fate,
	    struct str status, struct str text, bool said);
	void *arg;
};

/* A message; the views live until it is over. */
struct client_mail {
	const struct qfile_head *head;
	uint64_t size_bytes; /* as it will be sent, without doubled dots */
	bool beyond_ascii;   /* it has octets above 0x7f */
};

enum client_at {
	CLIENT_AT_GREETING,
	CLIENT_AT_EHLO,
	CLIENT_AT_HELO,
	CLIENT_AT_STARTTLS,
	CLIENT_AT_HANDSHAKE,
	CLIENT_AT_AUTH,
	CLIENT_AT_IDLE,
	CLIENT_AT_ENVELOPE, /* MAIL, RCPT, DATA */
	CLIENT_AT_CONTENT,
	CLIENT_AT_FINAL,
	CLIENT_AT_EMPTY, /* the end of no content, nobody was taken */
	CLIENT_AT_RSET,
	CLIENT_AT_QUIT,
	CLIENT_AT_END
};

/* A recipient of the message at hand. */
enum client_rcpt {
	CLIENT_RCPT_NONE, /* not to be sent: told, or not ours */
	CLIENT_RCPT_WAITS,
	CLIENT_RCPT_ASKED, /* in this transaction */
	CLIENT_RCPT_TAKEN
};

struct client {
	const struct client_setup *setup;
	enum client_at at;
	bool secured, authenticated, clear_for_good;
	struct extensions has;
	unsigned mechanisms; /* of AUTH that were not tried */
	struct sasl sasl;
	/* What was asked and is on its way, and what was heard: replies. */
	uint64_t asked, heard;
	struct reply reply;
	unsigned nline; /* lines of this reply */
	bool line_open, line_cut;
	size_t nraw;
	char raw[CLIENT_HEARD_MAX];
	size_t out_at;
	struct buf out;
	char room[CLIENT_OUTPUT];
	/* the message at hand */
	const struct client_mail *mail;
	unsigned nrcpt, ntransactions;
	/* this transaction */
	bool mail_asked, mail_heard, mail_good, data_asked;
	bool is_full; /* "too many recipients": no more of them now */
	unsigned next_ask, next_hear; /* recipients */
	unsigned nasked, ntaken;
	unsigned nrcpts_due, ndue;          /* replies to RCPT, to all */
	unsigned char rcpt[QFILE_RCPT_MAX]; /* enum client_rcpt */
	/* CLIENT_END: what is to be said of those who were told nothing. */
	struct {
		bool quit;      /* in order: nothing went wrong */
		bool unsecured; /* because of TLS */
		char nstatus, status[REPLY_STATUS_MAX];
		unsigned char ntext;
		char text[CLIENT_TEXT_MAX];
	} end;
};

/* The setup stays where it is. */
void client_start(struct client *c, const struct client_setup *setup);

enum client_want client_want(const struct client *c);

/* How long to wait for the reply that is owed now, RFC 5321 4.5.3.2. */
unsigned client_patience_s(const struct client *c);

/* What is to be sent, and how much of it was. */
struct str client_output(const struct client *c);
void client_written(struct client *c, size_t n);

/* What the server said; all of it is taken. */
void client_feed(struct client *c, struct str in);

/* The handshake is done. */
void client_secured(struct client *c);

/* A message to its recipients, of whom those are sent whose wanted[i]. */
void client_begin(struct client *c, const struct client_mail *m, unsigned nrcpt,
    const bool *wanted);
/* CLIENT_RCPT: which one, and here he is. */
unsigned client_index(const struct client *c);
void client_give_rcpt(struct client *c, const struct qfile_rcpt *r);
/* CLIENT_CONTENT: all of it, and the end, are on their way. */
void client_sent(struct client *c);

void client_quit(struct client *c);

/* The connection is lost, or the caller has had enough; status "4.4.2".
 * Whoever's content was under way is told "later" with this. */
void client_lost(struct client *c, struct str status, struct str text);

struct str client_end_status(const struct client *c);
struct str client_end_text(const struct client *c);

/* --- for mail/opening.c and mail/handover.c ------------------------------- */

/* Ends the line and puts it out. */
void client_ask(struct client *c, struct buf *line);
void client_say(struct client *c, const char *verb, struct str argument);
/* This is no SMTP; this host will not have us, its reply says why; it is not
 * as safe as it must be. */
void client_break(struct client *c, const char *text);
void client_refuse(struct client *c);
void client_refuse_tls(struct client *c, const char *text);
/* The fate of a recipient who was told nothing yet; as the reply says. */
void client_tell(struct client *c, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said);
void client_tell_reply(struct client *c, unsigned index);

#endif
