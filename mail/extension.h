/*
 * What a server offers in its reply to EHLO or LHLO, RFC 5321 4.1.1.1, as a
 * client needs it.
 */
#ifndef MAIL_EXTENSION_H
#define MAIL_EXTENSION_H

#include "mail/str.h"

enum extension {
	EXTENSION_PIPELINING = 1 << 0, /* RFC 2920 */
	EXTENSION_SIZE = 1 << 1,       /* RFC 1870 */
	EXTENSION_8BITMIME = 1 << 2,   /* RFC 6152 */
	EXTENSION_SMTPUTF8 = 1 << 3,   /* RFC 6531 */
	EXTENSION_CHUNKING = 1 << 4,   /* RFC 3030 */
	EXTENSION_DSN = 1 << 5,        /* RFC 3461 */
	EXTENSION_STARTTLS = 1 << 6,   /* RFC 3207 */
	EXTENSION_AUTH = 1 << 7,       /* RFC 4954 */
	EXTENSION_REQUIRETLS = 1 << 8, /* RFC 8689 */
	EXTENSION_LIMITS = 1 << 9      /* RFC 9422 */
};

/* Mechanisms of AUTH, the best last. */
enum extension_mechanism {
	MECHANISM_LOGIN = 1,
	MECHANISM_PLAIN = 2,
	MECHANISM_SCRAM_SHA_256 = 4,
	MECHANISM_XOAUTH2 = 8
};

struct extensions {
	unsigned have;       /* enum extension, or-ed */
	unsigned mechanisms; /* enum extension_mechanism, or-ed */
	uint64_t size_bytes; /* SIZE, 0: no limit told */
	/* LIMITS; 0: none told, or nonsense. */
	unsigned recipients_max, transactions_max;
};

/* A line behind the first one, without its code: "SIZE 1000".  What is not
 * known or not well-formed is not offered. */
void extensions_add(struct extensions *e, struct str line);

#endif
