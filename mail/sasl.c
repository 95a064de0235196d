/*
 * SASL mechanisms of a client.  Each step is a function of what came; the
 * state of SCRAM is the text of its own first message and the signature that
 * it waits for.
 */
#include "mail/sasl.h"

#include "mail/base64.h"

/* clang-format off */
static const struct {
	enum extension_mechanism mechanism;
	struct str name;
	bool token;	/* with a token only; the others never with one */
	bool crypto;
	bool first;
} mechanisms[] = {	/* the best first */
	{ MECHANISM_XOAUTH2,	   { "XOAUTH2", 7 },	   true,  false, true },
	{ MECHANISM_SCRAM_SHA_256, { "SCRAM-SHA-256", 13 }, false, true,  true },
	{ MECHANISM_PLAIN,	   { "PLAIN", 5 },	   false, false, true },
	{ MECHANISM_LOGIN,	   { "LOGIN", 5 },	   false, false, false },
};
/* clang-format on */

enum { NMECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

unsigned sasl_choose(const struct sasl_secret *secret, unsigned offered)
{
	for (unsigned i = 0; i < NMECHANISMS; i++)
		if ((offered & (unsigned)mechanisms[i].mechanism) != 0 &&
		    mechanisms[i].token == secret->is_token &&
		    (!mechanisms[i].crypto || secret->crypto != NULL))
			return (unsigned)mechanisms[i].mechanism;
	return 0;
}

struct str sasl_name(enum extension_mechanism mechanism)
{
	for (unsigned i = 0; i < NMECHANISMS; i++)
		if (mechanisms[i].mechanism == mechanism)
			return mechanisms[i].name;
	return STR("");
}

bool sasl_speaks_first(enum extension_mechanism mechanism)
{
	for (unsigned i = 0; i < NMECHANISMS; i++)
		if (mechanisms[i].mechanism == mechanism)
			return mechanisms[i].first;
	return false;
}

/* RFC 5802 5.1: no comma and no equals sign within a name. */
static void put_saslname(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ',')
			buf_putz(b, "=2C");
		else if (s.p[i] == '=')
			buf_putz(b, "=3D");
		else
			buf_putc(b, s.p[i]);
}

/* "n=user,r=nonce", and in front of it that no channel is bound. */
static int begin_scram(struct sasl *s, struct buf *response)
{
	struct buf bare = BUF(s->bare);

	buf_putz(&bare, "n=");
	put_saslname(&bare, s->secret->user);
	buf_putz(&bare, ",r=");
	buf_put(&bare, s->secret->nonce);
	s->nbare = bare.n;
	buf_putz(response, "n,,");
	buf_put(response, buf_str(&bare));
	return bare.full || s->secret->nonce.n == 0 ? SASL_BAD : 0;
}

int sasl_begin(struct sasl *s, const struct sasl_secret *secret,
    enum extension_mechanism mechanism, struct buf *response)
{
	*s = (struct sasl){ .mechanism = mechanism, .secret = secret };
	if (secret->user.n == 0 || secret->user.n > SASL_USER_MAX ||
	    secret->password.n > SASL_PASSWORD_MAX ||
	    str_find(secret->user, '\0') < secret->user.n ||
	    str_find(secret->password, '\0') < secret->password.n)
		return SASL_BAD;
	switch (mechanism) {
	case MECHANISM_PLAIN:
		buf_putc(response, '\0');
		buf_put(response, secret->user);
		buf_putc(response, '\0');
		buf_put(response, secret->password);
		break;
	case MECHANISM_XOAUTH2:
		buf_putz(response, "user=");
		buf_put(response, secret->user);
		buf_putz(response, "\001auth=Bearer ");
		buf_put(response, secret->password);
		buf_putz(response, "\001\001");
		break;
	case MECHANISM_SCRAM_SHA_256:
		if (begin_scram(s, response) != 0)
			return SASL_BAD;
		break;
	case MECHANISM_LOGIN:
		break;
	}
	return response->full ? SASL_BAD : 0;
}

/* The attribute "r=...," off the front of *s. */
static bool take(struct str *s, char name, struct str *value)
{
	return str_cut(s, ',', value) && value->n >= 2 && value->p[0] == name &&
	       value->p[1] == '=' && (*value = str_skip(*value, 2)).n > 0;
}

struct scram {
	struct str nonce, salt; /* views */
	unsigned iterations;
	char salt_octets[SASL_CHALLENGE_MAX];
};

/* RFC 5802 5.1: "r=" our nonce and more, "s=", "i=", and perhaps others,
 * but none in front that must be understood ("m="). */
static int parse_server_first(
    const struct sasl *s, struct str text, struct scram *c)
{
	struct buf salt = BUF(c->salt_octets);
	struct str value;
	uint64_t n;

	if (!take(&text, 'r', &c->nonce) || c->nonce.n <= s->secret->nonce.n ||
	    !str_starts(c->nonce, s->secret->nonce) ||
	    !take(&text, 's', &value) || base64_get(&salt, value) != 0 ||
	    !take(&text, 'i', &value) || str_u64(value, &n) != 0 ||
	    n < SASL_ITERATIONS_MIN || n > SASL_ITERATIONS_MAX)
		return SASL_BAD;
	c->salt = buf_str(&salt);
	c->iterations = (unsigned)n;
	return 0;
}

static struct str hash_str(const unsigned char *h)
{
	return str_at((const char *)h, SASL_HASH);
}

/* RFC 5802 3: the proof of the client, and the signature that the server will
 * have to show. */
static int prove(struct sasl *s, const struct scram *c, struct str message,
    unsigned char *proof)
{
	const struct sasl_crypto *k = s->secret->crypto;
	unsigned char salted[SASL_HASH], client[SASL_HASH], stored[SASL_HASH],
	    signature[SASL_HASH], server[SASL_HASH];
	int rc = k->pbkdf2(s->secret->password, c->salt, c->iterations, salted);

	if (rc == 0)
		rc = k->hmac(hash_str(salted), STR("Client Key"), client);
	if (rc == 0)
		rc = k->hash(hash_str(client), stored);
	if (rc == 0)
		rc = k->hmac(hash_str(stored), message, signature);
	if (rc == 0)
		rc = k->hmac(hash_str(salted), STR("Server Key"), server);
	if (rc == 0)
		rc = k->hmac(hash_str(server), message, s->server_signature);
	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < SASL_HASH; i++)
		proof[i] = client[i] ^ signature[i];
	return 0;
}

static int step_scram_first(
    struct sasl *s, struct str challenge, struct buf *response)
{
	char text[SASL_TEXT_MAX];
	struct buf message = BUF(text);
	unsigned char proof[SASL_HASH];
	struct scram c;
	size_t bare;
	int rc = parse_server_first(s, challenge, &c);

	if (rc != 0)
		return rc;
	/* AuthMessage: what both have said, without the proof. */
	buf_put(&message, str_at(s->bare, s->nbare));
	buf_putc(&message, ',');
	buf_put(&message, challenge);
	buf_putc(&message, ',');
	bare = message.n;
	buf_putz(&message, "c=biws,r=");
	buf_put(&message, c.nonce);
	if (message.full)
		return SASL_BAD;
	rc = prove(s, &c, buf_str(&message), proof);
	if (rc != 0)
		return rc;
	buf_put(response, str_skip(buf_str(&message), bare));
	buf_putz(response, ",p=");
	base64_put(response, hash_str(proof));
	return response->full ? SASL_BAD : 0;
}

static int step_scram_last(struct sasl *s, struct str challenge)
{
	char text[SASL_CHALLENGE_MAX];
	struct buf got = BUF(text);
	unsigned char differs = 0;
	struct str value;

	if (!take(&challenge, 'v', &value) || base64_get(&got, value) != 0 ||
	    got.n != SASL_HASH)
		return SASL_BAD;
	for (unsigned i = 0; i < SASL_HASH; i++)
		differs |= (unsigned char)text[i] ^ s->server_signature[i];
	s->proved = differs == 0;
	return s->proved ? 0 : SASL_BAD;
}

int sasl_step(struct sasl *s, struct str challenge, struct buf *response)
{
	unsigned step = s->step++;

	switch (s->mechanism) {
	case MECHANISM_LOGIN:
		if (step > 1)
			return SASL_BAD;
		buf_put(response,
		    step == 0 ? s->secret->user : s->secret->password);
		return response->full ? SASL_BAD : 0;
	case MECHANISM_SCRAM_SHA_256:
		if (challenge.n > SASL_CHALLENGE_MAX)
			return SASL_BAD;
		if (step == 0)
			return step_scram_first(s, challenge, response);
		return step == 1 ? step_scram_last(s, challenge) : SASL_BAD;
	case MECHANISM_XOAUTH2:
		/* The reason for a refusal; the refusal follows. */
		return step == 0 ? 0 : SASL_BAD;
	case MECHANISM_PLAIN:
		return SASL_BAD;
	}
	return SASL_BAD;
}

bool sasl_is_done(const struct sasl *s)
{
	switch (s->mechanism) {
	case MECHANISM_SCRAM_SHA_256:
		return s->proved;
	case MECHANISM_LOGIN:
		return s->step == 2;
	case MECHANISM_XOAUTH2:
		return s->step == 0;
	case MECHANISM_PLAIN:
		return true;
	}
	return false;
}
