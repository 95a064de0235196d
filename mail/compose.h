/*
 * The header of a message that a local program submits, made complete: Date,
 * Message-ID and From where they are missing (RFC 6409 8), addresses without
 * a domain qualified, text that is not ASCII as encoded words (RFC 2047), Bcc
 * and Return-Path left out.  A header that does not end in a blank line gets
 * one, a CR becomes a blank in it.  The body stays as it is, but for a CR
 * that stands alone: a line ends there.
 *
 * What is signed by DKIM loses its Bcc and nothing else, and gets nothing.
 *
 * Twice over the same content, LF line ends, in pieces of any size: first to
 * look, then, as often as one likes, to put.
 */
#ifndef MAIL_COMPOSE_H
#define MAIL_COMPOSE_H

#include "mail/str.h"

enum {
	COMPOSE_FIELD_MAX = 256 * 1024 /* octets of a field that is read */
};

enum compose_fact {
	COMPOSE_DATE = 1,
	COMPOSE_MESSAGE_ID = 2,
	COMPOSE_FROM = 4,
	COMPOSE_SIGNED = 8,   /* DKIM-Signature */
	COMPOSE_RESENT = 16,  /* a Resent-To, Resent-Cc or Resent-Bcc */
	COMPOSE_TOO_LONG = 32 /* recipients in a field that is not read */
};

struct compose_setup {
	struct str origin; /* what qualifies bare addresses */
	/* Whole lines, with their LF: what is added where it is missing. */
	struct str from, date, message_id;
	/* Looking: the value of To, Cc or Bcc, or of their Resent- kin. */
	void (*recipients)(void *arg, struct str value, bool resent);
	/* Putting: the message. */
	void (*put)(void *arg, struct str s);
	void *arg;
};

enum compose_at {
	COMPOSE_AT_LINE,   /* at the start of a line of the header */
	COMPOSE_AT_WITHIN, /* within it */
	COMPOSE_AT_BODY
};

struct compose {
	const struct compose_setup *set;
	bool looking;
	unsigned facts; /* enum compose_fact, or-ed */
	enum compose_at at;
	bool folded;      /* the field being read has more than one line */
	bool beyond;      /* ... is longer than what is kept, and passed */
	bool dropping;    /* ... or left out */
	struct buf field; /* the field being read, over room */
	char room[COMPOSE_FIELD_MAX];
};

void compose_look(struct compose *c, const struct compose_setup *set);
/* After compose_look, compose_feed and compose_finish. */
void compose_put(struct compose *c, const struct compose_setup *set);

void compose_feed(struct compose *c, struct str in);
void compose_finish(struct compose *c);

#endif
