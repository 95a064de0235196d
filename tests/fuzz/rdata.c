/*
 * Resource data: a name that is one leads back to the very octets it came
 * from, letters in lower case; a record has nothing but what was read of it.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/rdata.h"

/* A domain's text as labels; the octets. */
static size_t labels(struct str text, char *wire)
{
	struct str label;
	size_t n = 0;

	while (str_cut(&text, '.', &label)) {
		wire[n++] = (char)label.n;
		memcpy(wire + n, label.p, label.n);
		n += label.n;
	}
	wire[n++] = '\0';
	return n;
}

static void holds_name(struct str wire, struct str text)
{
	char again[DOMAIN_MAX + 2], room[DOMAIN_MAX];
	struct buf b = BUF(room);

	HOLDS(wire.n <= RDATA_NAME_WIRE && labels(text, again) == wire.n);
	HOLDS(str_eqcase(str_at(again, wire.n), wire));
	if (text.n == 0)
		return;
	HOLDS(domain_ascii(text, &b) == 0 && str_eq(buf_str(&b), text));
}

static void name(struct str wire)
{
	char room[DOMAIN_MAX];
	struct buf b = BUF(room);

	if (rdata_name(wire, &b) == 0)
		holds_name(wire, buf_str(&b));
	else
		HOLDS(b.n == 0 && !b.full);
}

static void mx(struct str wire)
{
	char room[DOMAIN_MAX];
	struct buf b = BUF(room);
	uint16_t preference;

	if (rdata_mx(wire, &preference, &b) != 0)
		return;
	HOLDS(preference >> 8 == (unsigned char)wire.p[0]);
	HOLDS((preference & 0xff) == (unsigned char)wire.p[1]);
	holds_name(str_skip(wire, 2), buf_str(&b));
}

static void tlsa(struct str wire)
{
	struct rdata_tlsa t;

	if (rdata_tlsa(wire, &t) != 0) {
		HOLDS(wire.n < 4 || wire.n > 3 + RDATA_TLSA_OCTETS);
		return;
	}
	HOLDS((size_t)t.ndata + 3 == wire.n);
	HOLDS(memcmp(t.data, wire.p + 3, t.ndata) == 0);
	if (rdata_tlsa_usable(&t))
		HOLDS((wire.p[0] == 2 || wire.p[0] == 3) &&
		      (t.matching == 0 || t.ndata == 32 * t.matching));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	struct netaddr a;

	name(s);
	mx(s);
	tlsa(s);
	HOLDS((rdata_a(s, &a) == 0) == (s.n == 4));
	HOLDS((rdata_aaaa(s, &a) == 0) == (s.n == 16));
	return 0;
}
