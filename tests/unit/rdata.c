/* Resource data: what is a record, and each of its octets too few. */
#include "tests/unit/tap.h"

#include "mail/rdata.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

/* clang-format off */
static const struct {
	struct str wire, name;
} names[] = {
	{ S("\0"), S("") },
	{ S("\1a\0"), S("a") },
	{ S("\2MX\7Example\0"), S("mx.example") },
	{ S("\3a-b\1c\0"), S("a-b.c") },
	{ S("\5_tcp1\1c\0"), S("_tcp1.c") },
	{ S("\14xn--mnchen-3\0"), S("") },
	{ S("\x3f" L63 "\0"), S(L63) },
};

static const struct str bad_names[] = {
	S(""), S("\1"), S("\1a"), S("\2a\0"), S("\1a\0\0"), S("\1a\0\1b\0"),
	S("\0\0"), S("\xc0\x0c"), S("\1a\xc0\x0c"), S("\x40" L63 "a\0"),
	S("\x80" "a\0"), S("\xff"), S("\3a.b\0"), S("\3a b\0"), S("\3a\0b\0"),
	S("\3a\"b\0"), S("\2\xc3\xa4\0"), S("\1.\0"), S("\1*\1c\0"),
	S("\2a-\0"), S("\2-a\0"), S("\1\n\0"), S("\1\\\0"),
	/* three labels of 63 and one of 62: 256 octets on the wire */
	S("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3f" L63 "\0"),
};

static const struct {
	struct str wire;
	bool usable;
} tlsas[] = {
	{ S("\3\1\1" "0123456789abcdef0123456789abcdef"), true },
	{ S("\2\0\1" "0123456789abcdef0123456789abcdef"), true },
	{ S("\2\1\2" "0123456789abcdef0123456789abcdef"
	    "0123456789abcdef0123456789abcdef"), true },
	{ S("\3\0\0x"), true },
	{ S("\3\1\1" "0123456789abcdef0123456789abcde"), false },
	{ S("\3\1\1" "0123456789abcdef0123456789abcdef0"), false },
	{ S("\3\1\2" "0123456789abcdef0123456789abcdef"), false },
	{ S("\0\1\1" "0123456789abcdef0123456789abcdef"), false },
	{ S("\1\1\1" "0123456789abcdef0123456789abcdef"), false },
	{ S("\4\1\1" "0123456789abcdef0123456789abcdef"), false },
	{ S("\xff\1\1" "0123456789abcdef0123456789abcdef"), false },
	{ S("\3\2\1" "0123456789abcdef0123456789abcdef"), false },
	{ S("\3\1\3" "0123456789abcdef0123456789abcdef"), false },
	{ S("\3\1\xff" "0123456789abcdef0123456789abcdef"), false },
};
/* clang-format on */

static int name(struct str wire, struct buf *b)
{
	char *exact = tap_exact(wire);
	int e = rdata_name(str_at(exact, wire.n), b);

	free(exact);
	return e;
}

static void test_names(void)
{
	for (size_t i = 0; i < TAP_N(names); i++) {
		char room[DOMAIN_MAX];
		struct buf b = BUF(room);
		int e = name(names[i].wire, &b);

		if (names[i].name.n > 0 || names[i].wire.n == 1)
			tap_ok(e == 0, "name %zu", i);
		else
			tap_ok(e == RDATA_BAD, "label that does not decode");
		tap_same(buf_str(&b), names[i].name, "its text %zu", i);
		/* every octet of it is needed */
		for (size_t n = 0; n < names[i].wire.n; n++) {
			buf_clear(&b);
			if (name(str_head(names[i].wire, n), &b) != RDATA_BAD ||
			    b.n != 0)
				tap_ok(false, "name %zu cut at %zu", i, n);
		}
	}
	for (size_t i = 0; i < TAP_N(bad_names); i++) {
		char room[DOMAIN_MAX];
		struct buf b = BUF(room);

		buf_putc(&b, '=');
		tap_ok(name(bad_names[i], &b) == RDATA_BAD && b.n == 1,
		    "no name, %zu", i);
	}
}

static int mx(struct str wire, uint16_t *preference, struct buf *host)
{
	char *exact = tap_exact(wire);
	int e = rdata_mx(str_at(exact, wire.n), preference, host);

	free(exact);
	return e;
}

static void test_mx(void)
{
	struct str wire = STR("\x12\x34\2mx\7example\0");
	char room[DOMAIN_MAX];
	struct buf b = BUF(room);
	uint16_t preference = 9;

	tap_ok(mx(wire, &preference, &b) == 0 && preference == 0x1234,
	    "MX, its preference in network order");
	tap_same(buf_str(&b), STR("mx.example"), "its host");
	for (size_t n = 0; n < wire.n; n++) {
		preference = 9;
		buf_clear(&b);
		tap_ok(mx(str_head(wire, n), &preference, &b) == RDATA_BAD &&
			   preference == 9 && b.n == 0,
		    "no MX of %zu octets", n);
	}
	tap_ok(mx(STR("\0\0\0"), &preference, &b) == 0 && preference == 0 &&
		   b.n == 0,
	    "null MX");
	tap_ok(mx(STR("\xff\xff\1a\0"), &preference, &b) == 0 &&
		   preference == 0xffff,
	    "the worst preference");
	tap_ok(mx(STR("\0\1\1a\0x"), &preference, &b) == RDATA_BAD,
	    "octets behind the host");
}

static void test_addresses(void)
{
	struct str octets = STR("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1xx");

	for (size_t n = 0; n <= octets.n; n++) {
		char *exact = tap_exact(str_head(octets, n));
		struct netaddr a;
		char room[NET_TEXT_MAX];
		struct buf b = BUF(room);

		if (rdata_a(str_at(exact, n), &a) == 0) {
			netaddr_put(&b, &a);
			tap_same(buf_str(&b), STR("32.1.13.184"), "A");
			tap_ok(n == 4, "A of %zu octets", n);
		} else
			tap_ok(n != 4, "no A of %zu octets", n);
		buf_clear(&b);
		if (rdata_aaaa(str_at(exact, n), &a) == 0) {
			netaddr_put(&b, &a);
			tap_same(buf_str(&b), STR("2001:db8::1"), "AAAA");
			tap_ok(n == 16, "AAAA of %zu octets", n);
		} else
			tap_ok(n != 16, "no AAAA of %zu octets", n);
		free(exact);
	}
}

static void test_tlsa(void)
{
	struct rdata_tlsa t;
	char room[RDATA_TLSA_OCTETS + 4];

	for (size_t i = 0; i < TAP_N(tlsas); i++) {
		struct str wire = tlsas[i].wire;
		char *exact = tap_exact(wire);

		tap_ok(
		    rdata_tlsa(str_at(exact, wire.n), &t) == 0, "TLSA %zu", i);
		free(exact);
		tap_ok(rdata_tlsa_usable(&t) == tlsas[i].usable, "is %susable",
		    tlsas[i].usable ? "" : "not ");
		tap_same(str_at((const char *)t.data, t.ndata),
		    str_skip(wire, 3), "its data");
	}
	for (size_t n = 0; n <= 3; n++)
		tap_ok(
		    rdata_tlsa(STR("\3\1\1").n >= n ? str_head(STR("\3\1\1"), n)
						    : STR(""),
			&t) == RDATA_BAD,
		    "no TLSA of %zu octets", n);
	memset(room, 3, sizeof(room));
	tap_ok(rdata_tlsa(str_at(room, RDATA_TLSA_OCTETS + 3), &t) == 0 &&
		   t.ndata == RDATA_TLSA_OCTETS,
	    "the longest");
	tap_ok(rdata_tlsa(str_at(room, RDATA_TLSA_OCTETS + 4), &t) == RDATA_BAD,
	    "one octet more");
}

int main(void)
{
	test_names();
	test_mx();
	test_addresses();
	test_tlsa();
	return tap_done();
}
