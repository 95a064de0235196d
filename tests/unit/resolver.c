/* Texts for the resolver library: the server's address, the trust anchors. */
#include "tests/unit/tap.h"

#include "mail/resolver.h"

#include <errno.h>

/* clang-format off */
static const struct {
	struct str in, out;
} servers[] = {
	{ S("192.0.2.1"), S("192.0.2.1@53") },
	{ S("192.0.2.1:5353"), S("192.0.2.1@5353") },
	{ S("192.0.2.1:65535"), S("192.0.2.1@65535") },
	{ S("[192.0.2.1]:1"), S("192.0.2.1@1") },
	{ S("2001:db8::1"), S("2001:db8::1@53") },
	{ S("[2001:db8::1]"), S("2001:db8::1@53") },
	{ S("[2001:db8::1]:5353"), S("2001:db8::1@5353") },
	{ S("::1"), S("::1@53") },
	{ S("[2001:db8:1:2:3:4:5:6]:65535"), S("2001:db8:1:2:3:4:5:6@65535") },
};

static const struct str bad[] = {
	S(""), S(":"), S(":53"), S("host"), S("host:53"), S("192.0.2.1:"),
	S("192.0.2.1:0"), S("192.0.2.1:65536"), S("192.0.2.1:-1"),
	S("192.0.2.1:53 "), S("192.0.2.1@53"), S("192.0.2.1:99999999999999999"),
	S("[::1"), S("[::1]53"), S("[::1]:"), S("[::1]:x"), S("[]"), S("[]:53"),
	S("::1]:53"), S("192.0.2"), S("192.0.2.1\0:53"), S("fe80::1%eth0"),
};

static const struct str anchors = S(
	"; a comment\n"
	"\n"
	"  . IN DS 20326 8 2 E06D44 ; behind\n"
	". 172800 IN DNSKEY 257 3 8 Aw ;{id = 1} ;;state=0 [ START ]\n"
	". 172800 IN DNSKEY 257 3 8 Bw ;{id = 1} ;;state=1 [ ADDPEND ]\n"
	". 172800 IN DNSKEY 257 3 8 Cw ;{id = 1} ;;state=2 [ VALID ] ;;count=0\n"
	". 172800 IN DNSKEY 257 3 8 Dw ;{id = 1} ;;state=3 [ MISSING ]\n"
	". 172800 IN DNSKEY 257 3 8 Ew ;{id = 1} ;;state=4 [ REVOKED ]\n"
	". 172800 IN DNSKEY 257 3 8 Fw ;{id = 1} ;;state=5 [ REMOVED ]\n"
	"\t;;state=2\n"
	". IN DNSKEY 257 3 8 Gw ; keytag");

static const struct str records[] = {
	S(". IN DS 20326 8 2 E06D44"),
	S(". 172800 IN DNSKEY 257 3 8 Cw"),
	S(". 172800 IN DNSKEY 257 3 8 Dw"),
	S(". IN DNSKEY 257 3 8 Gw"),
};
/* clang-format on */

static void test_servers(void)
{
	char room[RESOLVER_TEXT_MAX], small[4];
	struct buf little = BUF(small);

	for (size_t i = 0; i < TAP_N(servers); i++) {
		struct buf b = BUF(room);

		tap_ok(resolver_put(&b, servers[i].in) == 0, "server %zu", i);
		tap_same(buf_str(&b), servers[i].out, "for the library %zu", i);
	}
	for (size_t i = 0; i < TAP_N(bad); i++) {
		char *exact = tap_exact(bad[i]);
		struct buf b = BUF(room);

		buf_putc(&b, '=');
		tap_ok(resolver_put(&b, str_at(exact, bad[i].n)) == -EINVAL &&
			   b.n == 1,
		    "no server, %zu", i);
		free(exact);
	}
	tap_ok(resolver_put(&little, servers[0].in) == -EINVAL && !little.n,
	    "no room");
}

static void test_anchors(void)
{
	char room[RESOLVER_ANCHOR_MAX];
	struct buf b = BUF(room);
	struct str text = anchors;

	for (size_t i = 0; i < TAP_N(records); i++) {
		tap_ok(resolver_anchor(&text, &b) == 0, "record %zu", i);
		tap_same(str_of(room), records[i], "is the trusted one");
	}
	tap_ok(resolver_anchor(&text, &b) == RESOLVER_NO_MORE, "no more");
	text = STR("");
	tap_ok(resolver_anchor(&text, &b) == RESOLVER_NO_MORE, "an empty file");
	text = tap_run('x', RESOLVER_ANCHOR_MAX - 1);
	tap_ok(resolver_anchor(&text, &b) == 0, "the longest line");
	text = tap_run('x', RESOLVER_ANCHOR_MAX);
	tap_ok(resolver_anchor(&text, &b) == -EINVAL, "a longer one");
}

int main(void)
{
	test_servers();
	test_anchors();
	return tap_done();
}
