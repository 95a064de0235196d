/*
 * The choice among mail exchangers.  No exchanger at or behind our own place
 * is ever used (RFC 5321 5.1), and no name of a stranger leads a connection
 * to this machine or to no machine.
 */
#include "mail/mx.h"

#include <string.h>

unsigned mx_before(const uint16_t *preference, unsigned n, unsigned us)
{
	unsigned i = 0;

	while (i < n && i < us && preference[i] < preference[us])
		i++;
	return i;
}

unsigned mx_group_end(const uint16_t *preference, unsigned n, unsigned i)
{
	unsigned end = i;

	while (end < n && preference[end] == preference[i])
		end++;
	return end;
}

unsigned mx_rank(struct mx_ranking *r, uint16_t preference, uint32_t lot)
{
	unsigned at = 0;

	while (at < r->n &&
	       (r->v[at].preference < preference ||
		   (r->v[at].preference == preference && r->v[at].lot <= lot)))
		at++;
	if (at == r->max)
		return r->max;
	if (r->n < r->max)
		r->n++;
	memmove(&r->v[at + 1], &r->v[at], (r->n - 1 - at) * sizeof(r->v[0]));
	r->v[at].preference = preference;
	r->v[at].lot = lot;
	return at;
}

#define V4(a, b, c, d, bits)                                                  \
	{                                                                     \
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } }, \
		    96 + (bits)                                               \
	}

/* clang-format off */
static const struct net nowhere[] = {
	V4(0, 0, 0, 0, 8),		/* "this" network, RFC 1122 */
	V4(127, 0, 0, 0, 8),		/* loopback */
	V4(169, 254, 0, 0, 16),		/* link-local, RFC 3927 */
	V4(224, 0, 0, 0, 4),		/* multicast */
	V4(240, 0, 0, 0, 4),		/* reserved, and broadcast */
	{ { { 0 } }, 96 },		/* ::, ::1, IPv4-compatible */
	{ { { 0xfe, 0x80 } }, 10 },	/* link-local */
	{ { { 0xff } }, 8 },		/* multicast */
};
/* clang-format on */

bool mx_addr_is_nowhere(const struct netaddr *a)
{
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		if (net_has(&nowhere[i], a))
			return true;
	return false;
}

void mx_take_turns(struct netaddr *v, unsigned n)
{
	struct netaddr was[MX_ADDR_MAX];
	unsigned at[2] = { 0, 0 }; /* next IPv6, next IPv4 */
	bool want4 = false;

	if (n > MX_ADDR_MAX)
		n = MX_ADDR_MAX;
	memcpy(was, v, n * sizeof(v[0]));
	for (unsigned out = 0; out < n; out++) {
		for (int k = 0; k < 2; k++)
			while (
			    at[k] < n && netaddr_is4(&was[at[k]]) != (k == 1))
				at[k]++;
		if (at[want4] == n)
			want4 = !want4;
		v[out] = was[at[want4]++];
		want4 = !want4;
	}
}
