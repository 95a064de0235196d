/* SHA-256 and HMAC: the examples of FIPS 180 and the cases of RFC 4231. */
#include "tests/unit/tap.h"

#include "mail/sha256.h"

#define A20(c) c c c c c c c c c c c c c c c c c c c c
#define A131(c) A20(c) A20(c) A20(c) A20(c) A20(c) A20(c) c c c c c c c c c c c
#define A50(c) A20(c) A20(c) c c c c c c c c c c

/* clang-format off */
static const struct {
	struct str in, out;
} hashes[] = {
	{ S(""), S("e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855") },
	{ S("abc"), S("ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad") },
	{ S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	    S("248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1") },
	{ S("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
	    S("cf5b16a778af8380036ce59e7b049237"
	    "0b249b11e8f07a51afac45037afee9d1") },
};

static const struct {
	const char *name;
	struct str key, text, out;
} macs[] = {
	{ "case 1", S(A20("\x0b")), S("Hi There"),
	    S("b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7") },
	{ "case 2", S("Jefe"), S("what do ya want for nothing?"),
	    S("5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843") },
	{ "case 3", S(A20("\xaa")), S(A50("\xdd")),
	    S("773ea91e36800e46854db8ebd09181a7"
	    "2959098b3ef8c122d9635514ced565fe") },
	{ "case 4", S("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d"
	    "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"),
	    S(A50("\xcd")),
	    S("82558a389a443c0ea4cc819899f2083a"
	    "85f0faa3e578f8077a2e3ff46729665b") },
	{ "case 5", S(A20("\x0c")), S("Test With Truncation"),
	    S("a3b6167473100ee06e0c796c2955552b") },
	{ "case 6", S(A131("\xaa")),
	    S("Test Using Larger Than Block-Size Key - Hash Key First"),
	    S("60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54") },
	{ "case 7", S(A131("\xaa")),
	    S("This is a test using a larger than block-size key and a larger "
	    "than block-size data. The key needs to be hashed before being "
	    "used by the HMAC algorithm."),
	    S("9b09ffa71b942fcb27635fbcd5b0e944"
	    "bfdc63644f0713938a7f51535c3a35e2") },
};
/* clang-format on */

static void same(const unsigned char *got, struct str want, const char *name)
{
	char text[2 * SHA256_OCTETS];
	struct buf b = BUF(text);

	for (unsigned i = 0; i < SHA256_OCTETS; i++)
		buf_hex(&b, got[i], 2);
	tap_same(str_head(buf_str(&b), want.n), want, "%s", name);
}

static void hash(struct str in, size_t step, unsigned char *out)
{
	struct sha256 s;

	sha256_init(&s);
	for (; in.n > 0; in = str_skip(in, step))
		sha256_add(&s, str_head(in, step));
	sha256_end(&s, out);
}

int main(void)
{
	static char million[1000000];
	unsigned char out[SHA256_OCTETS], again[SHA256_OCTETS];
	bool equal = true;

	for (size_t i = 0; i < TAP_N(hashes); i++) {
		hash(hashes[i].in, hashes[i].in.n + 1, out);
		same(out, hashes[i].out, "hash");
	}
	memset(million, 'a', sizeof(million));
	hash(str_at(million, sizeof(million)), 1021, out);
	same(out,
	    STR("cdc76e5c9914fb9281a1c7e284d73e67"
		"f1809a48a497200e046d39ccc7112cd0"),
	    "a million of them");
	for (size_t n = 0; n < 200; n++) {
		hash(str_at(million, n), n + 1, out);
		for (size_t step = 1; step < 70; step += 7) {
			hash(str_at(million, n), step, again);
			equal = equal && memcmp(out, again, sizeof(out)) == 0;
		}
	}
	tap_ok(equal, "in pieces");
	for (size_t i = 0; i < TAP_N(macs); i++) {
		sha256_hmac(macs[i].key, macs[i].text, out);
		same(out, macs[i].out, macs[i].name);
	}
	return tap_done();
}
