/*
 * From the greeting to the first message: EHLO, HELO for servers that do not
 * know it, STARTTLS, EHLO once more, AUTH.
 */
#include "mail/opening.h"

#include "mail/base64.h"
#include "mail/handover.h"

void opening_begin(struct client *c)
{
	c->has = (struct extensions){ 0 };
	c->at = CLIENT_AT_EHLO;
	client_say(c, c->setup->lmtp ? "LHLO " : "EHLO ", c->setup->hostname);
}

static void put_response(struct client *c, const char *verb, struct str raw)
{
	char text[BASE64_OCTETS(SASL_TEXT_MAX) + 64];
	struct buf line = BUF(text);

	buf_putz(&line, verb);
	base64_put(&line, raw);
	client_ask(c, &line);
}

/* The best mechanism that was not tried yet. */
static void authenticate(struct client *c)
{
	static char raw[SASL_TEXT_MAX];
	struct buf response = BUF(raw);
	char text[64];
	struct buf verb = BUF(text);
	unsigned m = sasl_choose(c->setup->secret, c->mechanisms);

	if (m == 0) {
		client_lost(c, STR("4.7.4"),
		    STR("no mechanism of AUTH that we know is offered"));
		return;
	}
	c->mechanisms &= ~m;
	if (sasl_begin(&c->sasl, c->setup->secret, (enum extension_mechanism)m,
		&response) != 0) {
		client_lost(c, STR("4.7.8"),
		    STR("user or password that AUTH cannot say"));
		return;
	}
	c->at = CLIENT_AT_AUTH;
	buf_putz(&verb, "AUTH ");
	buf_put(&verb, sasl_name((enum extension_mechanism)m));
	if (!sasl_speaks_first((enum extension_mechanism)m)) {
		client_say(c, "", buf_str(&verb));
		return;
	}
	buf_putz(&verb, " ");
	buf_putc(&verb, '\0');
	put_response(c, text, buf_str(&response));
}

/* What comes next once the server has told what it offers. */
static void proceed(struct client *c)
{
	enum client_tls tls = c->setup->tls;
	bool offered = (c->has.have & EXTENSION_STARTTLS) != 0;

	if (!c->secured && tls == CLIENT_TLS_MUST && !offered) {
		client_refuse_tls(c, "STARTTLS is not offered");
		return;
	}
	if (!c->secured && offered && !c->clear_for_good &&
	    (tls == CLIENT_TLS_MAY || tls == CLIENT_TLS_MUST)) {
		c->at = CLIENT_AT_STARTTLS;
		client_say(c, "STARTTLS", STR(""));
		return;
	}
	if (c->setup->secret != NULL && !c->authenticated) {
		/* Never in clear, whatever the caller wanted. */
		if (!c->secured) {
			client_refuse_tls(c, "AUTH needs TLS");
			return;
		}
		c->mechanisms = c->has.mechanisms;
		authenticate(c);
		return;
	}
	c->at = CLIENT_AT_IDLE;
}

static void hear_ehlo(struct client *c)
{
	unsigned code = c->reply.code;

	if (code / 100 == 2) {
		proceed(c);
		return;
	}
	c->has = (struct extensions){ 0 };
	if (c->at == CLIENT_AT_EHLO && !c->setup->lmtp &&
	    (code == 500 || code == 502)) {
		c->at = CLIENT_AT_HELO;
		client_say(c, "HELO ", c->setup->hostname);
		return;
	}
	client_refuse(c);
}

static void hear_starttls(struct client *c)
{
	if (c->reply.code == 220) {
		c->at = CLIENT_AT_HANDSHAKE;
		return;
	}
	if (c->setup->tls == CLIENT_TLS_MUST) {
		client_refuse(c);
		c->end.unsecured = true;
		return;
	}
	c->clear_for_good = true;
	proceed(c);
}

/* "334 base64"; what stands in the raw line, since it can be long. */
static void hear_challenge(struct client *c)
{
	static char octets[CLIENT_HEARD_MAX], raw[SASL_TEXT_MAX];
	struct buf challenge = BUF(octets), response = BUF(raw);
	struct str line = str_skip(str_at(c->raw, c->nraw), 4);

	if (c->line_cut || base64_get(&challenge, line) != 0) {
		client_break(c, "a challenge of AUTH that is none");
		return;
	}
	if (sasl_step(&c->sasl, buf_str(&challenge), &response) != 0) {
		client_lost(c, STR("4.7.8"),
		    STR("a challenge of AUTH that we do not answer"));
		return;
	}
	put_response(c, "", buf_str(&response));
}

static void hear_auth(struct client *c)
{
	unsigned code = c->reply.code;

	if (code == 334) {
		hear_challenge(c);
		return;
	}
	if (code / 100 == 2) {
		if (!sasl_is_done(&c->sasl)) {
			client_lost(c, STR("4.7.8"),
			    STR("the server did not prove that it knows the "
				"password"));
			return;
		}
		c->authenticated = true;
		c->at = CLIENT_AT_IDLE;
		return;
	}
	/* Not this mechanism, but perhaps another. */
	if ((code == 500 || code == 504 || code == 534) &&
	    sasl_choose(c->setup->secret, c->mechanisms) != 0)
		authenticate(c);
	else
		client_refuse(c);
}

void opening_hear(struct client *c)
{
	switch (c->at) {
	case CLIENT_AT_GREETING:
		if (c->reply.code / 100 == 2)
			opening_begin(c);
		else
			client_refuse(c);
		break;
	case CLIENT_AT_EHLO:
	case CLIENT_AT_HELO:
		hear_ehlo(c);
		break;
	case CLIENT_AT_STARTTLS:
		hear_starttls(c);
		break;
	case CLIENT_AT_AUTH:
		hear_auth(c);
		break;
	case CLIENT_AT_HANDSHAKE:
	case CLIENT_AT_IDLE:
	case CLIENT_AT_ENVELOPE:
	case CLIENT_AT_CONTENT:
	case CLIENT_AT_FINAL:
	case CLIENT_AT_EMPTY:
	case CLIENT_AT_RSET:
	case CLIENT_AT_QUIT:
	case CLIENT_AT_END:
		break;
	}
}
