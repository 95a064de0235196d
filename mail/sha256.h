/*
 * SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104).
 */
#ifndef MAIL_SHA256_H
#define MAIL_SHA256_H

#include <stdint.h>

#include "mail/str.h"

enum { SHA256_OCTETS = 32, SHA256_BLOCK = 64 };

struct sha256 {
	uint32_t h[8];
	uint64_t octets; /* so far */
	unsigned char block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, struct str text);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_OCTETS]);

void sha256_hmac(
    struct str key, struct str text, unsigned char out[SHA256_OCTETS]);

#endif
