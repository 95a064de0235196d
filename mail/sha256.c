/*
 * SHA-256, FIPS 180-4 4.1.2, 5.1.1 and 6.2; HMAC, RFC 2104 2.  Written to be
 * read beside them: it hashes a few addresses, not files.
 */
#include "mail/sha256.h"

#include <string.h>

/* FIPS 180-4 4.2.2 */
static const uint32_t k[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
	0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138,
	0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
	0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f,
	0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2 };

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* The message schedule, FIPS 180-4 6.2.2 step 1. */
static void schedule(const unsigned char *block, uint32_t w[64])
{
	for (unsigned t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 |
		       (uint32_t)block[4 * t + 1] << 16 |
		       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
	for (unsigned t = 16; t < 64; t++) {
		uint32_t a = w[t - 15], b = w[t - 2];

		w[t] = w[t - 16] + w[t - 7] +
		       (turn(a, 7) ^ turn(a, 18) ^ a >> 3) +
		       (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
	}
}

static void compress(struct sha256 *s)
{
	uint32_t v[8], w[64];

	schedule(s->block, w);
	memcpy(v, s->h, sizeof(v));
	for (unsigned t = 0; t < 64; t++) {
		uint32_t a = v[0], e = v[4];
		uint32_t t1 = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
			      ((e & v[5]) ^ (~e & v[6])) + k[t] + w[t];
		uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) +
			      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		s->h[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
	static const uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
		0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(s, 0, sizeof(*s));
	memcpy(s->h, h, sizeof(h));
}

void sha256_add(struct sha256 *s, struct str text)
{
	while (text.n > 0) {
		size_t at = (size_t)(s->octets % SHA256_BLOCK);
		struct str head = str_head(text, SHA256_BLOCK - at);

		memcpy(s->block + at, head.p, head.n);
		s->octets += head.n;
		if (at + head.n == SHA256_BLOCK)
			compress(s);
		text = str_skip(text, head.n);
	}
}

void sha256_end(struct sha256 *s, unsigned char out[SHA256_OCTETS])
{
	uint64_t bits = s->octets * 8;
	char length[8];

	for (unsigned i = 0; i < 8; i++)
		length[i] = (char)(unsigned char)(bits >> (56 - 8 * i));
	sha256_add(s, STR("\x80"));
	while (s->octets % SHA256_BLOCK != SHA256_BLOCK - sizeof(length))
		sha256_add(s, str_at("", 1));
	sha256_add(s, str_at(length, sizeof(length)));
	for (unsigned i = 0; i < SHA256_OCTETS; i++)
		out[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* The key, its octets xor-ed, fills the first block of a hash. */
static void keyed(struct sha256 *s, const char key[SHA256_BLOCK], char with)
{
	char block[SHA256_BLOCK];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(key[i] ^ with);
	sha256_init(s);
	sha256_add(s, str_at(block, sizeof(block)));
}

void sha256_hmac(
    struct str key, struct str text, unsigned char out[SHA256_OCTETS])
{
	char block[SHA256_BLOCK] = { 0 };
	struct sha256 s;

	if (key.n > sizeof(block)) {
		sha256_init(&s);
		sha256_add(&s, key);
		sha256_end(&s, out);
		memcpy(block, out, SHA256_OCTETS);
	} else if (key.n > 0) {
		memcpy(block, key.p, key.n);
	}
	keyed(&s, block, 0x36);
	sha256_add(&s, text);
	sha256_end(&s, out);
	keyed(&s, block, 0x5c);
	sha256_add(&s, str_at((const char *)out, SHA256_OCTETS));
	sha256_end(&s, out);
}
