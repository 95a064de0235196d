/*
 * Sender rewriting, SRS0 and SRS1 as published: a foreign sender of mail that
 * an alias sends on becomes an address of ours that leads back to him.  The
 * keyed hash is the caller's function, for its secret is another program's.
 */
#ifndef MAIL_SRS_H
#define MAIL_SRS_H

#include <stdint.h>

#include "mail/addr.h"
#include "mail/str.h"

enum {
	SRS_HASH_MAX = 8, /* characters of base64 kept of the hash */
	SRS_DAYS = 21     /* an address is good for so long */
};

struct srs {
	void *self;
	/* SRS_HASH_MAX printable characters for the octets of s, any case. */
	void (*hash)(void *self, struct str s, char out[SRS_HASH_MAX]);
	int64_t now_s;
	struct str domain; /* ours */
};

enum srs_answer { SRS_NOT = 1, SRS_FORGED = 2, SRS_OLD = 3, SRS_LONG = 4 };

/* The address that stands for `from`.  0 or SRS_LONG. */
int srs_forward(const struct srs *s, const struct addr *from, struct buf *b);

/* Whom a local part "SRS0=..." stands for.  0 or another srs_answer. */
int srs_reverse(const struct srs *s, struct str local, struct buf *b);

#endif
