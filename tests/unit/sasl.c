/* SASL mechanisms: the vectors of their RFCs, and what is refused; base64. */
#include "tests/unit/tap.h"

#include "mail/base64.h"
#include "mail/sasl.h"
#include "sys/tls-client.h"

#include <errno.h>

/* clang-format off */
/* RFC 4648 10, and what no base64 is. */
static const struct {
	struct str octets, text;
} pairs[] = {
	{ S(""), S("") }, { S("f"), S("Zg==") }, { S("fo"), S("Zm8=") },
	{ S("foo"), S("Zm9v") }, { S("foob"), S("Zm9vYg==") },
	{ S("fooba"), S("Zm9vYmE=") }, { S("foobar"), S("Zm9vYmFy") },
	{ S("\0\xff\xfe\xfb\xf0"), S("AP/++/A=") },
};
static const struct str none[] = {
	S("Z"), S("Zg"), S("Zg="), S("Zg==="), S("Z==="), S("===="),
	S("Zh=="), S("Zm9="), S("Zg==Zg=="), S("Zm 9"), S("Zm9v\n"),
	S("Zm9v\0AAA"), S("Zm9-"), S("Zm9_"), S("=m9v"),
};
/* clang-format on */

static void base64(void)
{
	for (size_t i = 0; i < TAP_N(pairs); i++) {
		char text[32];
		struct buf b = BUF(text);
		char *exact = tap_exact(pairs[i].text);

		base64_put(&b, pairs[i].octets);
		tap_same(buf_str(&b), pairs[i].text, "base64 %zu", i);
		tap_ok(b.n == BASE64_OCTETS(pairs[i].octets.n), "its length");
		buf_clear(&b);
		tap_ok(base64_get(&b, str_at(exact, pairs[i].text.n)) == 0,
		    "base64 %zu is read", i);
		tap_same(buf_str(&b), pairs[i].octets, "as it was");
		free(exact);
	}
	for (size_t i = 0; i < TAP_N(none); i++) {
		char text[32];
		struct buf b = BUF(text);

		tap_ok(base64_get(&b, none[i]) == BASE64_BAD && b.n == 0,
		    "no base64: %zu", i);
	}
}

static void no_room(void)
{
	char text[5];
	struct buf b = BUF(text);

	tap_ok(base64_get(&b, STR("Zm9vYmFy")) == BASE64_BAD && b.n == 0 &&
		   !b.full,
	    "no room for it");
}

/* RFC 7677 3. */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct sasl_secret secret = { { "user", 4 }, { "pencil", 6 }, false,
	{ NONCE, sizeof(NONCE) - 1 }, NULL };

static int begin(struct sasl *s, struct buf *response)
{
	buf_clear(response);
	return sasl_begin(s, &secret, MECHANISM_SCRAM_SHA_256, response);
}

static int step(struct sasl *s, struct str challenge, struct buf *response)
{
	char *exact = tap_exact(challenge);
	int rc;

	buf_clear(response);
	rc = sasl_step(s, str_at(exact, challenge.n), response);
	free(exact);
	return rc;
}

static void scram(void)
{
	char text[SASL_TEXT_MAX];
	struct buf r = BUF(text);
	struct sasl s;

	tap_ok(begin(&s, &r) == 0, "SCRAM begins");
	tap_same(buf_str(&r), STR("n,,n=user,r=" NONCE), "client-first");
	tap_ok(step(&s, STR("r=" SERVER ",s=" SALT ",i=4096"), &r) == 0,
	    "server-first");
	tap_same(
	    buf_str(&r), STR("c=biws,r=" SERVER ",p=" PROOF), "client-final");
	tap_ok(!sasl_is_done(&s), "not done without the server's proof");
	tap_ok(
	    step(&s, STR("v=" SIGNATURE), &r) == 0 && r.n == 0, "server-final");
	tap_ok(sasl_is_done(&s), "done");
	tap_ok(step(&s, STR("v=" SIGNATURE), &r) == SASL_BAD, "no more");
}

/* clang-format off */
static const struct str bad_first[] = {
	S(""), S("r="), S("r=" SERVER),
	S("r=" NONCE ",s=" SALT ",i=4096"),	/* nothing of its own */
	S("r=x" SERVER ",s=" SALT ",i=4096"),
	S("r=" SERVER ",s=,i=4096"), S("r=" SERVER ",s=!,i=4096"),
	S("r=" SERVER ",s=" SALT), S("r=" SERVER ",s=" SALT ",i="),
	S("r=" SERVER ",s=" SALT ",i=4095"),	/* too cheap to break */
	S("r=" SERVER ",s=" SALT ",i=1000001"),	/* too dear to answer */
	S("r=" SERVER ",s=" SALT ",i=99999999999999999999"),
	S("r=" SERVER ",s=" SALT ",i=-1"), S("m=x,r=" SERVER ",s=" SALT ",i=4096"),
	S("s=" SALT ",r=" SERVER ",i=4096"), S("e=other-error"),
};
static const struct str bad_last[] = {
	S(""), S("v="), S("e=invalid-proof"), S("v=AAAA"), S("v=!"),
	S("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="),
	S("v=" SIGNATURE SIGNATURE),
};
/* clang-format on */

static void scram_refused(void)
{
	char text[SASL_TEXT_MAX];
	struct buf r = BUF(text);
	struct sasl s;

	for (size_t i = 0; i < TAP_N(bad_first); i++) {
		begin(&s, &r);
		tap_ok(
		    step(&s, bad_first[i], &r) == SASL_BAD && !sasl_is_done(&s),
		    "server-first refused: %zu", i);
	}
	for (size_t i = 0; i < TAP_N(bad_last); i++) {
		begin(&s, &r);
		(void)step(&s, STR("r=" SERVER ",s=" SALT ",i=4096"), &r);
		tap_ok(
		    step(&s, bad_last[i], &r) == SASL_BAD && !sasl_is_done(&s),
		    "server-final refused: %zu", i);
	}
	secret.user = STR("a=b,c");
	begin(&s, &r);
	tap_same(buf_str(&r), STR("n,,n=a=3Db=2Cc,r=" NONCE), "an odd user");
	secret.user = STR("user");
}

static void others(void)
{
	char text[SASL_TEXT_MAX];
	struct buf r = BUF(text);
	struct sasl s;

	tap_ok(sasl_begin(&s, &secret, MECHANISM_PLAIN, &r) == 0, "PLAIN");
	tap_same(buf_str(&r), STR("\0user\0pencil"), "what it says");
	tap_ok(step(&s, STR(""), &r) == SASL_BAD, "and no more");
	buf_clear(&r);
	tap_ok(sasl_begin(&s, &secret, MECHANISM_LOGIN, &r) == 0 && r.n == 0 &&
		   !sasl_is_done(&s),
	    "LOGIN waits");
	(void)step(&s, STR("Username:"), &r);
	tap_same(buf_str(&r), STR("user"), "the user");
	tap_ok(!sasl_is_done(&s), "not done before the password");
	(void)step(&s, STR("Password:"), &r);
	tap_same(buf_str(&r), STR("pencil"), "the password");
	tap_ok(sasl_is_done(&s), "done");
	tap_ok(step(&s, STR("More:"), &r) == SASL_BAD, "no third");
	buf_clear(&r);
	tap_ok(sasl_begin(&s, &secret, MECHANISM_XOAUTH2, &r) == 0, "XOAUTH2");
	tap_same(buf_str(&r), STR("user=user\001auth=Bearer pencil\001\001"),
	    "what it says");
	tap_ok(step(&s, STR("{}"), &r) == 0 && r.n == 0 && !sasl_is_done(&s),
	    "a refusal is heard to its end");
}

static void limits(void)
{
	static char text[SASL_TEXT_MAX];
	struct sasl_secret long_one = secret;
	struct buf r = BUF(text);
	struct sasl s;

	long_one.user = tap_run('u', SASL_USER_MAX);
	long_one.password = tap_run('p', SASL_PASSWORD_MAX);
	tap_ok(sasl_begin(&s, &long_one, MECHANISM_PLAIN, &r) == 0, "longest");
	buf_clear(&r);
	long_one.user = tap_run(',', SASL_USER_MAX);
	long_one.nonce = tap_run('n', SASL_NONCE_MAX);
	tap_ok(sasl_begin(&s, &long_one, MECHANISM_SCRAM_SHA_256, &r) == 0,
	    "longest of SCRAM");
	long_one.password = tap_run('p', SASL_PASSWORD_MAX + 1);
	tap_ok(sasl_begin(&s, &long_one, MECHANISM_PLAIN, &r) == SASL_BAD,
	    "too long");
	long_one.password = STR("p\0q");
	tap_ok(sasl_begin(&s, &long_one, MECHANISM_PLAIN, &r) == SASL_BAD,
	    "NUL within");
}

/* Crypto that fails at its n-th call. */
static unsigned calls_left;

static int fails(void)
{
	return calls_left-- == 0 ? -EIO : 0;
}

static int no_hash(struct str text, unsigned char *out)
{
	(void)text;
	memset(out, 0, SASL_HASH);
	return fails();
}

static int no_hmac(struct str key, struct str text, unsigned char *out)
{
	(void)key;
	return no_hash(text, out);
}

static int no_pbkdf2(struct str password, struct str salt, unsigned iterations,
    unsigned char *out)
{
	(void)salt;
	(void)iterations;
	return no_hash(password, out);
}

static void scram_broken(void)
{
	static const struct sasl_crypto broken = { no_hash, no_hmac,
		no_pbkdf2 };
	const struct sasl_secret whole = secret;
	char text[SASL_TEXT_MAX];
	struct buf r = BUF(text);
	struct sasl s;

	secret.crypto = &broken;
	for (unsigned n = 0; n < 6; n++) {
		tap_ok(begin(&s, &r) == 0, "SCRAM begins");
		calls_left = n;
		tap_ok(step(&s, STR("r=" SERVER ",s=" SALT ",i=4096"), &r) ==
			       -EIO &&
			   r.n == 0 && !sasl_is_done(&s),
		    "crypto fails at call %u: nothing is said", n);
	}
	(void)begin(&s, &r);
	calls_left = 100;
	tap_ok(step(&s, STR("r=" SERVER ",s=" SALT ",i=4096"), &r) == 0,
	    "there are no more calls");
	(void)begin(&s, &r);
	tap_ok(step(&s, tap_run('r', SASL_CHALLENGE_MAX + 1), &r) == SASL_BAD,
	    "a challenge that is too long");
	secret.nonce = STR("");
	tap_ok(begin(&s, &r) == SASL_BAD, "no SCRAM without a nonce");
	secret = whole;
}

static void choice(void)
{
	struct sasl_secret x = secret;
	const unsigned all = MECHANISM_LOGIN | MECHANISM_PLAIN |
			     MECHANISM_SCRAM_SHA_256 | MECHANISM_XOAUTH2;

	tap_ok(sasl_choose(&x, all) ==
		   (x.crypto ? MECHANISM_SCRAM_SHA_256 : MECHANISM_PLAIN),
	    "the best");
	x.crypto = NULL;
	tap_ok(sasl_choose(&x, all) == MECHANISM_PLAIN, "without crypto");
	tap_ok(sasl_choose(&x, MECHANISM_LOGIN) == MECHANISM_LOGIN, "LOGIN");
	tap_ok(sasl_choose(&x, MECHANISM_XOAUTH2) == 0, "a password is no "
							"token");
	x.is_token = true;
	tap_ok(sasl_choose(&x, all) == MECHANISM_XOAUTH2, "a token");
	tap_ok(sasl_choose(&x, MECHANISM_PLAIN | MECHANISM_LOGIN) == 0,
	    "a token is no password");
}

int main(void)
{
	secret.crypto = tls_client_crypto();
	base64();
	no_room();
	others();
	limits();
	choice();
	scram_broken();
	if (secret.crypto != NULL) {
		scram();
		scram_refused();
	} else {
		tap_ok(true, "SCRAM # SKIP OpenSSL is not built in");
	}
	return tap_done();
}
