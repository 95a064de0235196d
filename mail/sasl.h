/*
 * The client's side of SASL, RFC 4422, as AUTH of RFC 4954 needs it: PLAIN
 * (RFC 4616), LOGIN, SCRAM-SHA-256 (RFC 5802, 7677; without channel binding)
 * and XOAUTH2.  Only to be used over TLS.  SCRAM does not show the password,
 * and is done only when the server has proved that it knows it too.
 */
#ifndef MAIL_SASL_H
#define MAIL_SASL_H

#include "mail/extension.h"
#include "mail/str.h"

enum {
	SASL_USER_MAX = 128,
	SASL_PASSWORD_MAX = 2048, /* tokens are long */
	SASL_NONCE_MAX = 64,
	SASL_HASH = 32, /* octets of SHA-256 */
	SASL_TEXT_MAX = 4096,
	SASL_CHALLENGE_MAX = 1024,
	SASL_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
	SASL_ITERATIONS_MAX = 1000000
};

/* What SCRAM computes with; *out has SASL_HASH octets.  0 or -errno. */
struct sasl_crypto {
	int (*hash)(struct str s, unsigned char *out);
	int (*hmac)(struct str key, struct str s, unsigned char *out);
	int (*pbkdf2)(struct str password, struct str salt, unsigned iterations,
	    unsigned char *out);
};

/* Whom to be; the views live as long as the conversation. */
struct sasl_secret {
	struct str user, password;
	bool is_token;    /* the password is a bearer token: XOAUTH2 */
	struct str nonce; /* fresh, printable without commas */
	const struct sasl_crypto *crypto; /* NULL: no SCRAM */
};

struct sasl {
	enum extension_mechanism mechanism;
	const struct sasl_secret *secret;
	unsigned step;
	bool proved; /* SCRAM: the server's signature was right */
	size_t nbare;
	char bare[2 * SASL_USER_MAX * 3 + SASL_NONCE_MAX]; /* client-first */
	unsigned char server_signature[SASL_HASH];
};

/* The best of the mechanisms that this secret can use; 0: none. */
unsigned sasl_choose(const struct sasl_secret *secret, unsigned mechanisms);

/* The mechanism's name. */
struct str sasl_name(enum extension_mechanism mechanism);

/* Appends the initial response, not in base64.  0, or SASL_BAD when the user
 * or the password cannot be said. */
enum { SASL_BAD = 1 };
int sasl_begin(struct sasl *s, const struct sasl_secret *secret,
    enum extension_mechanism mechanism, struct buf *response);

/* Has this mechanism an initial response?  (LOGIN has none.) */
bool sasl_speaks_first(enum extension_mechanism mechanism);

/* A challenge, decoded, and what answers it.  0, SASL_BAD (break it off) or
 * -errno of the crypto. */
int sasl_step(struct sasl *s, struct str challenge, struct buf *response);

/* The server says that it is done: is it, for us too? */
bool sasl_is_done(const struct sasl *s);

#endif
