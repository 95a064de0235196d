/*
 * Resource data.  What came over the network is doubted to the last octet: a
 * record that has one too few or too many is none.
 */
#include "mail/rdata.h"

#include <string.h>

enum { TLSA_HEAD = 3, SHA256_OCTETS = 32, SHA512_OCTETS = 64 };

static unsigned octet(struct str s, size_t i)
{
	return (unsigned char)s.p[i];
}

/* The labels joined by dots; 0 or RDATA_BAD. */
static int join_labels(struct str wire, struct buf *text)
{
	while (wire.n > 0) {
		size_t n = octet(wire, 0);
		struct str label = str_head(str_skip(wire, 1), n);

		wire = str_skip(wire, 1 + n);
		if (n == 0)
			return wire.n == 0 ? 0 : RDATA_BAD;
		if (n > LABEL_MAX || label.n < n)
			return RDATA_BAD;
		/* a dot within a label would make two of one */
		if (str_find(label, '.') < n)
			return RDATA_BAD;
		if (text->n > 0)
			buf_putc(text, '.');
		buf_put(text, label);
	}
	return RDATA_BAD;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (octet(s, i) > 0x7f)
			return false;
	return true;
}

int rdata_name(struct str wire, struct buf *out)
{
	char room[RDATA_NAME_WIRE];
	struct buf text = BUF(room);

	if (wire.n > RDATA_NAME_WIRE || join_labels(wire, &text) != 0)
		return RDATA_BAD;
	if (text.n == 0)
		return 0;
	/* octets beyond ASCII are no U-labels in the DNS */
	if (text.full || !is_ascii(buf_str(&text)))
		return RDATA_BAD;
	return domain_ascii(buf_str(&text), out) == 0 ? 0 : RDATA_BAD;
}

int rdata_mx(struct str wire, uint16_t *preference, struct buf *host)
{
	if (wire.n < 3 || rdata_name(str_skip(wire, 2), host) != 0)
		return RDATA_BAD;
	*preference = (uint16_t)(octet(wire, 0) << 8 | octet(wire, 1));
	return 0;
}

int rdata_a(struct str wire, struct netaddr *a)
{
	unsigned char four[4];

	if (wire.n != sizeof(four))
		return RDATA_BAD;
	memcpy(four, wire.p, sizeof(four));
	*a = netaddr_of4(four);
	return 0;
}

int rdata_aaaa(struct str wire, struct netaddr *a)
{
	if (wire.n != sizeof(a->b))
		return RDATA_BAD;
	memcpy(a->b, wire.p, sizeof(a->b));
	return 0;
}

int rdata_tlsa(struct str wire, struct rdata_tlsa *t)
{
	struct str data = str_skip(wire, TLSA_HEAD);

	if (data.n == 0 || data.n > RDATA_TLSA_OCTETS)
		return RDATA_BAD;
	t->usage = (uint8_t)octet(wire, 0);
	t->selector = (uint8_t)octet(wire, 1);
	t->matching = (uint8_t)octet(wire, 2);
	t->ndata = (uint16_t)data.n;
	memcpy(t->data, data.p, data.n);
	return 0;
}

bool rdata_tlsa_usable(const struct rdata_tlsa *t)
{
	static const unsigned octets[] = { 0, SHA256_OCTETS, SHA512_OCTETS };

	if (t->usage != 2 && t->usage != 3)
		return false;
	if (t->selector > 1 || t->matching > 2)
		return false;
	return t->matching == 0 || t->ndata == octets[t->matching];
}
