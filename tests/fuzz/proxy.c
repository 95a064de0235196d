/*
 * PROXY: the length that the fixed part tells is the only one with which the
 * header parses, and nothing but a defined header does.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/proxy.h"

static void good(struct str s, const struct proxy *p)
{
	unsigned char family = (unsigned char)s.p[13];

	HOLDS(str_starts(s, STR("\r\n\r\n\0\r\nQUIT\n")));
	HOLDS(s.p[12] == 0x20 || s.p[12] == 0x21);
	HOLDS(p->local == (s.p[12] == 0x20));
	HOLDS(p->known == (!p->local && (family == 0x11 || family == 0x21)));
	if (p->known && family == 0x11)
		HOLDS(netaddr_is4(&p->source) && netaddr_is4(&p->dest) &&
		      memcmp(p->source.b + 12, s.p + 16, 4) == 0);
	if (p->known && family == 0x21)
		HOLDS(memcmp(p->source.b, s.p + 16, 16) == 0 &&
		      memcmp(p->dest.b, s.p + 32, 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	struct proxy p, q;
	size_t rest;
	int rc = proxy_fixed(str_head(s, PROXY_FIXED), &rest);

	HOLDS(rc == 0 || proxy_parse(s, &p) == PROXY_BAD);
	if (rc != 0)
		return 0;
	HOLDS(rest <= PROXY_REST_MAX);
	for (size_t n = 0; n <= s.n; n++)
		if (n != PROXY_FIXED + rest)
			HOLDS(proxy_parse(str_head(s, n), &q) == PROXY_BAD);
	s = str_head(s, PROXY_FIXED + rest);
	if (proxy_parse(s, &p) == 0)
		good(s, &p);
	return 0;
}
