/* PROXY protocol version 2: what is taken, what is refused, no octet more. */
#include "tests/unit/tap.h"

#include "mail/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* clang-format off */
#define TCP4_REST "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x00\x19"
#define V6(last) "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" last

static const struct {
	struct str in;
	int rc;
	bool local, known;
	struct str source, dest;
	unsigned short source_port, dest_port;
} rows[] = {
	{ S(SIGNATURE "\x21\x11\x00\x0c" TCP4_REST), 0, false, true,
	    S("192.0.2.1"), S("198.51.100.2"), 12345, 25 },
	{ S(SIGNATURE "\x21\x21\x00\x24" V6("\x01") V6("\x02")
	    "\xff\xff\x01\xd1"), 0, false, true, S("2001:db8::1"),
	    S("2001:db8::2"), 65535, 465 },
	/* IPv4 in IPv6 is IPv4. */
	{ S(SIGNATURE "\x21\x21\x00\x24"
	    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1" V6("\x02") "\0\1\0\2"), 0,
	    false, true, S("192.0.2.1"), S("2001:db8::2"), 1, 2 },
	/* Type-length-values behind the addresses. */
	{ S(SIGNATURE "\x21\x11\x00\x10" TCP4_REST "\x04\x00\x01\x00"), 0,
	    false, true, S("192.0.2.1"), S("198.51.100.2"), 12345, 25 },
	/* The balancer's own check, whatever else it says. */
	{ S(SIGNATURE "\x20\x00\x00\x00"), 0, true, false, S(""), S(""), 0,
	    0 },
	{ S(SIGNATURE "\x20\x11\x00\x0c" TCP4_REST), 0, true, false, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x20\xff\x00\x00"), 0, true, false, S(""), S(""), 0,
	    0 },
	/* Transports without an address of ours: nothing, UDP, unix. */
	{ S(SIGNATURE "\x21\x00\x00\x00"), 0, false, false, S(""), S(""), 0,
	    0 },
	{ S(SIGNATURE "\x21\x00\x00\x02zz"), 0, false, false, S(""), S(""), 0,
	    0 },
	{ S(SIGNATURE "\x21\x12\x00\x0c" TCP4_REST), 0, false, false, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x31\x00\x00"), 0, false, false, S(""), S(""), 0,
	    0 },
	/* Undefined families, transports, commands and versions. */
	{ S(SIGNATURE "\x21\x41\x00\x00"), PROXY_BAD, 0, 0, S(""), S(""), 0,
	    0 },
	{ S(SIGNATURE "\x21\x13\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x22\x11\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x2f\x11\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x11\x11\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x31\x11\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	/* Lengths that do not fit. */
	{ S(SIGNATURE "\x21\x11\x00\x0b\xc0\0\2\1\xc6\x33\x64\2\x30\x39\0"),
	    PROXY_BAD, 0, 0, S(""), S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x21\x00\x23" V6("\x01") V6("\x02") "\0\1\0"),
	    PROXY_BAD, 0, 0, S(""), S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x21\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x11\x00\x0c" TCP4_REST "x"), PROXY_BAD, 0, 0,
	    S(""), S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x11\x00\x0d" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	{ S(SIGNATURE "\x21\x11\x0c\x00" TCP4_REST), PROXY_BAD, 0, 0, S(""),
	    S(""), 0, 0 },
	/* Version 1, other talk, an octet of the signature amiss. */
	{ S("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, 0, 0,
	    S(""), S(""), 0, 0 },
	{ S("EHLO client.example\r\n"), PROXY_BAD, 0, 0, S(""), S(""), 0, 0 },
	{ S("\r\n\r\n\0\r\nQUIt\n\x21\x11\x00\x0c" TCP4_REST), PROXY_BAD, 0, 0,
	    S(""), S(""), 0, 0 },
	{ S(""), PROXY_BAD, 0, 0, S(""), S(""), 0, 0 },
};
/* clang-format on */

static bool is_address(const struct netaddr *a, struct str text)
{
	struct netaddr b = { { 0 } };

	return (text.n == 0 || netaddr_parse(text, &b) == 0) &&
	       netaddr_eq(a, &b);
}

static void headers(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		char *exact = tap_exact(rows[i].in);
		struct proxy p = { .source_port = 4711 };
		int rc = proxy_parse(str_at(exact, rows[i].in.n), &p);

		free(exact);
		tap_ok(rc == rows[i].rc, "row %zu", i);
		if (rc != 0) {
			tap_ok(p.source_port == 4711, "nothing set, %zu", i);
			continue;
		}
		tap_ok(p.local == rows[i].local && p.known == rows[i].known,
		    "what it is, %zu", i);
		tap_ok(is_address(&p.source, rows[i].source) &&
			   is_address(&p.dest, rows[i].dest),
		    "its addresses, %zu", i);
		tap_ok(p.source_port == rows[i].source_port &&
			   p.dest_port == rows[i].dest_port,
		    "its ports, %zu", i);
	}
}

/* A good header cut off anywhere is none. */
static void cut_off(void)
{
	size_t wrong = 0, rest;
	struct proxy p;

	for (size_t i = 0; i < TAP_N(rows); i++)
		for (size_t n = 0; rows[i].rc == 0 && n < rows[i].in.n; n++) {
			char *exact = tap_exact(str_head(rows[i].in, n));

			wrong += proxy_parse(str_at(exact, n), &p) == 0;
			wrong += n != PROXY_FIXED &&
				 proxy_fixed(str_at(exact, n), &rest) == 0;
			free(exact);
		}
	tap_ok(wrong == 0, "headers that are cut off");
}

static int fixed(unsigned n, size_t *rest)
{
	char head[] = SIGNATURE "\x21\x00\x00\x00";

	head[14] = (char)(n >> 8);
	head[15] = (char)(n & 0xff);
	return proxy_fixed(str_at(head, PROXY_FIXED), rest);
}

static void lengths(void)
{
	static const struct {
		unsigned n;
		int rc;
	} lens[] = { { 0, 0 }, { 12, 0 }, { 255, 0 }, { 256, 0 }, { 1023, 0 },
		{ 1024, 0 }, { 1025, PROXY_BAD }, { 65535, PROXY_BAD } };

	for (size_t i = 0; i < TAP_N(lens); i++) {
		size_t rest = 4711;

		tap_ok(fixed(lens[i].n, &rest) == lens[i].rc, "a rest of %u",
		    lens[i].n);
		tap_ok(rest == (lens[i].rc == 0 ? lens[i].n : 4711),
		    "and its length");
	}
}

int main(void)
{
	headers();
	cut_off();
	lengths();
	return tap_done();
}
