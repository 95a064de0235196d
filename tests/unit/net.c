/* Internet addresses and networks: text in, text out, who belongs to whom. */
#include "tests/unit/tap.h"

#include "mail/net.h"

#include <errno.h>

/* clang-format off */
static const struct {
	struct str in, out, literal, source;
} addresses[] = {
	{ S("0.0.0.0"), S("0.0.0.0"), S("[0.0.0.0]"), S("0.0.0.0") },
	{ S("192.0.2.1"), S("192.0.2.1"), S("[192.0.2.1]"), S("192.0.2.1") },
	{ S("255.255.255.255"), S("255.255.255.255"), S("[255.255.255.255]"),
	    S("255.255.255.255") },
	{ S("::ffff:192.0.2.1"), S("192.0.2.1"), S("[192.0.2.1]"),
	    S("192.0.2.1") },
	{ S("::ffff:c000:201"), S("192.0.2.1"), S("[192.0.2.1]"),
	    S("192.0.2.1") },
	{ S("0:0:0:0:0:ffff:192.0.2.1"), S("192.0.2.1"), S("[192.0.2.1]"),
	    S("192.0.2.1") },
	{ S("::"), S("::"), S("[IPv6:::]"), S("::") },
	{ S("::1"), S("::1"), S("[IPv6:::1]"), S("::") },
	{ S("1::"), S("1::"), S("[IPv6:1::]"), S("1::") },
	{ S("2001:db8::1"), S("2001:db8::1"), S("[IPv6:2001:db8::1]"),
	    S("2001:db8::") },
	{ S("2001:DB8:0:0:0:0:0:1"), S("2001:db8::1"), S("[IPv6:2001:db8::1]"),
	    S("2001:db8::") },
	{ S("2001:0db8:0001:0002:0003:0004:0005:0006"),
	    S("2001:db8:1:2:3:4:5:6"), S("[IPv6:2001:db8:1:2:3:4:5:6]"),
	    S("2001:db8:1:2::") },
	/* RFC 5952: one zero group is not shortened, the longest run is, of
	 * two the first. */
	{ S("2001:db8:0:1:1:1:1:1"), S("2001:db8:0:1:1:1:1:1"),
	    S("[IPv6:2001:db8:0:1:1:1:1:1]"), S("2001:db8:0:1::") },
	{ S("2001:db8::1:1:1:1:1"), S("2001:db8:0:1:1:1:1:1"),
	    S("[IPv6:2001:db8:0:1:1:1:1:1]"), S("2001:db8:0:1::") },
	{ S("2001:0:0:1:0:0:0:1"), S("2001:0:0:1::1"),
	    S("[IPv6:2001:0:0:1::1]"), S("2001:0:0:1::") },
	{ S("2001:db8:0:0:1:0:0:1"), S("2001:db8::1:0:0:1"),
	    S("[IPv6:2001:db8::1:0:0:1]"), S("2001:db8::") },
	{ S("1:2:3:4:5:6:7::"), S("1:2:3:4:5:6:7:0"),
	    S("[IPv6:1:2:3:4:5:6:7:0]"), S("1:2:3:4::") },
	{ S("::2:3:4:5:6:7:8"), S("0:2:3:4:5:6:7:8"),
	    S("[IPv6:0:2:3:4:5:6:7:8]"), S("0:2:3:4::") },
	{ S("fe80::a0b0"), S("fe80::a0b0"), S("[IPv6:fe80::a0b0]"),
	    S("fe80::") },
	{ S("1:2:3:4:5:6:1.2.3.4"), S("1:2:3:4:5:6:102:304"),
	    S("[IPv6:1:2:3:4:5:6:102:304]"), S("1:2:3:4::") },
	{ S("64:ff9b::192.0.2.33"), S("64:ff9b::c000:221"),
	    S("[IPv6:64:ff9b::c000:221]"), S("64:ff9b::") },
	{ S("::fffe:1.2.3.4"), S("::fffe:102:304"), S("[IPv6:::fffe:102:304]"),
	    S("::") },
};

static const struct str bad[] = {
	S(""), S("1"), S("1.2.3"), S("1.2.3.4.5"), S("1.2.3.4."), S(".1.2.3"),
	S("1..2.3"), S("256.1.1.1"), S("1.1.1.256"), S("01.2.3.4"),
	S("1.2.3.00"), S("0x1.2.3.4"), S("1.2.3.4 "), S(" 1.2.3.4"),
	S("1.2.3.0004"), S("-1.2.3.4"), S("1.2.3.a"), S("1,2,3,4"),
	S("1.2.3.4\0"), S(":"), S(":::"), S("1:2:3:4:5:6:7"),
	S("1:2:3:4:5:6:7:8:9"), S("1::2::3"), S("1:2:3:4:5:6:7:8::"),
	S("::1:2:3:4:5:6:7:8"), S("1:2:3:4::5:6:7:8"), S(":1:2:3:4:5:6:7"),
	S("1:2:3:4:5:6:7:"), S("1:2:3:4:5:6:7:8:"), S("::12345"), S("::g"),
	S("::1%eth0"), S("[::1]"), S("1.2.3.4::"), S("::1.2.3.4:1"),
	S("::1.2.3"), S("1:2:3:4:5:6:7:1.2.3.4"), S("::1.2.3.4.5"),
	S("1::2:"), S("::1/64"), S("1:2:3:4:5:6:7:8:1.2.3.4"),
};

static const struct {
	struct str net, in, out;
	unsigned bits;
} nets[] = {
	{ S("10.0.0.0/8"), S("10.255.255.255"), S("11.0.0.0"), 104 },
	{ S("10.0.0.0/8"), S("10.0.0.0"), S("9.255.255.255"), 104 },
	{ S("192.0.2.128/25"), S("192.0.2.128"), S("192.0.2.127"), 121 },
	{ S("192.0.2.1"), S("192.0.2.1"), S("192.0.2.2"), 128 },
	{ S("192.0.2.1/32"), S("::ffff:192.0.2.1"), S("192.0.2.0"), 128 },
	{ S("0.0.0.0/0"), S("255.255.255.255"), S("::1"), 96 },
	{ S("::/0"), S("ffff::"), S(""), 0 },
	{ S("::ffff:10.0.0.0/104"), S("10.1.2.3"), S("11.1.2.3"), 104 },
	{ S("2001:db8::/32"), S("2001:db8:ffff::1"), S("2001:db9::"), 32 },
	{ S("2001:db8::/33"), S("2001:db8:7fff::1"), S("2001:db8:8000::"), 33 },
	{ S("2001:db8::/64"), S("2001:db8::ffff"), S("2001:db8:0:1::"), 64 },
	{ S("::1"), S("::1"), S("::"), 128 },
	{ S("::1/128"), S("::1"), S("127.0.0.1"), 128 },
	{ S("127.0.0.0/8"), S("127.255.0.1"), S("::1"), 104 },
};

static const struct str bad_nets[] = {
	S(""), S("/"), S("/8"), S("10.0.0.0/"), S("10.0.0.0/33"),
	S("10.0.0.0/-1"), S("10.0.0.0/8/8"), S("10.0.0.1/8"), S("10/8"),
	S("10.0.0.0/ 8"), S("::/129"), S("::1/127"), S("2001:db8::1/64"),
	S("10.0.0.0/18446744073709551624"), S("10.0.0.0/a"), S("x/8"),
	S("192.0.2.128/24"), S("host"),
};
/* clang-format on */

static void texts(void)
{
	for (size_t i = 0; i < TAP_N(addresses); i++) {
		struct str in = addresses[i].in;
		char *exact = tap_exact(in), room[NET_TEXT_MAX + 8];
		struct buf b = BUF(room);
		struct netaddr a, source;

		tap_ok(netaddr_parse(str_at(exact, in.n), &a) == 0,
		    "address %zu", i);
		free(exact);
		netaddr_put(&b, &a);
		tap_same(buf_str(&b), addresses[i].out, "text %zu", i);
		buf_clear(&b);
		netaddr_literal(&b, &a);
		tap_same(buf_str(&b), addresses[i].literal, "literal %zu", i);
		buf_clear(&b);
		source = netaddr_source(&a);
		netaddr_put(&b, &source);
		tap_same(buf_str(&b), addresses[i].source, "source %zu", i);
	}
	for (size_t i = 0; i < TAP_N(bad); i++) {
		char *exact = tap_exact(bad[i]);
		struct netaddr a = { { 9 } };

		tap_ok(netaddr_parse(str_at(exact, bad[i].n), &a) == -EINVAL &&
			   a.b[0] == 9,
		    "no address, %zu", i);
		free(exact);
	}
}

static void networks(void)
{
	for (size_t i = 0; i < TAP_N(nets); i++) {
		struct netaddr in, out;
		struct net n;

		tap_ok(
		    net_parse(nets[i].net, &n) == 0 && n.bits == nets[i].bits,
		    "network %zu", i);
		tap_ok(netaddr_parse(nets[i].in, &in) == 0 && net_has(&n, &in),
		    "network %zu has", i);
		if (nets[i].out.n > 0)
			tap_ok(netaddr_parse(nets[i].out, &out) == 0 &&
				   !net_has(&n, &out),
			    "network %zu has not", i);
	}
	for (size_t i = 0; i < TAP_N(bad_nets); i++) {
		struct net n = { .bits = 4711 };

		tap_ok(net_parse(bad_nets[i], &n) == -EINVAL && n.bits == 4711,
		    "no network, %zu", i);
	}
}

/* Every prefix from 16: a bit more or less within it, and behind it. */
static void prefixes(void)
{
	unsigned wrong = 0;

	for (unsigned bits = 16; bits <= 128; bits++) {
		struct net n = { { { 0x20, 1 } }, bits };
		struct netaddr a;

		for (unsigned at = 0; at < 128; at++) {
			a = n.a;
			a.b[at / 8] ^= (unsigned char)(0x80 >> at % 8);
			wrong += net_has(&n, &a) != (at >= bits);
		}
	}
	tap_ok(wrong == 0, "each bit counts within the prefix and not behind");
}

int main(void)
{
	static const unsigned char four[4] = { 192, 0, 2, 1 };
	struct netaddr a = netaddr_of4(four), b;

	texts();
	networks();
	prefixes();
	tap_ok(netaddr_is4(&a), "IPv4 from octets");
	tap_ok(netaddr_parse(STR("192.0.2.1"), &b) == 0 && netaddr_eq(&a, &b),
	    "is the one from text");
	tap_ok(netaddr_parse(STR("::192.0.2.1"), &b) == 0 &&
		   !netaddr_eq(&a, &b) && !netaddr_is4(&b),
	    "is not the one that only looks alike");
	return tap_done();
}
