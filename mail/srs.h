/*
 * Sender rewriting, SRS0 and SRS1 as published: a foreign sender of mail that
 * an alias sends on becomes an address of ours that leads back to him.  The
 * keyed hash is the caller's function, for its secret is another program's.
 *
 *	SRS0=hash=day=domain=local@ours
 *	SRS1=hash=domain=rest@ours	for SRS0rest@domain of a forwarder
 */
#ifndef MAIL_SRS_H
#define MAIL_SRS_H

#include <stdint.h>

#include "mail/addr.h"
#include "mail/str.h"

enum {
	/* Characters of base64 kept of the hash: of the 64 octets of a local
	 * part each is dear. */
	SRS_HASH_MAX = 6,
	SRS_DAYS = 21 /* an address is good for so long */
};

struct srs {
	void *self;
	/* SRS_HASH_MAX printable characters for the octets of s, any case,
	 * none of them "=". */
	void (*hash)(void *self, struct str s, char out[SRS_HASH_MAX]);
	int64_t now_s;
	struct str domain; /* ours */
};

enum srs_answer { SRS_NOT = 1, SRS_FORGED = 2, SRS_OLD = 3, SRS_LONG = 4 };

/*
 * The address that stands for `from`.  The null reverse-path, a bare name, an
 * address of our domain, and what SRS has no form for (an empty local part, a
 * literal with "=" in it) stand for themselves.  0, or SRS_LONG (nothing is
 * appended): its local part would have more than LOCAL_MAX octets.
 */
int srs_forward(const struct srs *s, const struct addr *from, struct buf *b);

/*
 * Whom a local part "SRS0=..." or "SRS1=..." stands for.  0 or another
 * srs_answer; SRS_NOT: it is no such local part, whatever it begins with.
 */
int srs_reverse(const struct srs *s, struct str local, struct buf *b);

/* A hash for struct srs, HMAC-SHA256; self is a struct str, the secret. */
void srs_hmac(void *self, struct str s, char out[SRS_HASH_MAX]);

#endif
