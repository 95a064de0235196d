/*
 * MAIL, RCPT and DATA, in groups where the server offers PIPELINING (RFC
 * 2920), one by one where it does not, and what its replies mean for each
 * recipient.  A server that has enough recipients gets the others in another
 * transaction (RFC 5321 4.5.3.1.10); each transaction settles at least one.
 *
 * Content goes by DATA also where CHUNKING (RFC 3030) is offered.  DATA is
 * part of the group, so BDAT would save a round trip only if the content were
 * sent before it is known that anybody is to have it; to spare the dots is
 * worth a hundredth of what a message of 4 KiB costs; and without BINARYMIME
 * long lines are no more allowed in chunks than elsewhere.
 */
#include "mail/handover.h"

static bool has(const struct client *c, enum extension e)
{
	return (c->has.have & (unsigned)e) != 0;
}

static void tell_all(struct client *c, enum client_fate fate, struct str status,
    const char *text)
{
	for (unsigned i = 0; i < c->nrcpt; i++)
		client_tell(c, i, fate, status, str_of(text), false);
}

/* Of all that are left, or of those that were taken. */
static void tell_reply(struct client *c, bool taken_only)
{
	for (unsigned i = 0; i < c->nrcpt; i++)
		if (!taken_only || c->rcpt[i] == CLIENT_RCPT_TAKEN)
			client_tell_reply(c, i);
}

/* What this server cannot carry; true when there is nothing left to do. */
static bool is_refused(struct client *c)
{
	const struct client_mail *m = c->mail;

	bool strict = m->head->requiretls && !c->setup->is_exempt;

	if (strict && !(c->secured && c->setup->vouched))
		tell_all(c, CLIENT_NEVER, STR("5.7.10"),
		    "REQUIRETLS: not sure of the next hop");
	/* RFC 8689 5: a report is not lost for that. */
	else if (strict && m->head->sender.n > 0 &&
		 !has(c, EXTENSION_REQUIRETLS))
		tell_all(c, CLIENT_NEVER, STR("5.7.30"),
		    "the next hop does not offer REQUIRETLS");
	else if (m->head->utf8 && !has(c, EXTENSION_SMTPUTF8))
		tell_all(c, CLIENT_NEVER, STR("5.6.7"),
		    "the next hop does not offer SMTPUTF8");
	else if (m->head->body == QFILE_BINARY ||
		 (m->beyond_ascii && !has(c, EXTENSION_8BITMIME)))
		tell_all(c, CLIENT_NEVER, STR("5.6.3"),
		    "the next hop does not offer 8BITMIME");
	else if (c->has.size_bytes > 0 && m->size_bytes > c->has.size_bytes)
		tell_all(c, CLIENT_NEVER, STR("5.3.4"),
		    "the message is larger than the next hop takes");
	else
		return false;
	return true;
}

static bool is_sendable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

static void start_transaction(struct client *c)
{
	if (c->has.transactions_max > 0 &&
	    c->ntransactions >= c->has.transactions_max) {
		/* MAILMAX: the rest over another connection. */
		c->at = CLIENT_AT_IDLE;
		client_quit(c);
		return;
	}
	c->ntransactions++;
	c->at = CLIENT_AT_ENVELOPE;
	c->mail_asked = c->mail_heard = c->mail_good = c->data_asked = false;
	c->is_full = false;
	c->next_ask = c->next_hear = 0;
	c->nasked = c->ntaken = c->nrcpts_due = c->ndue = 0;
	handover_go_on(c);
}

void handover_begin(struct client *c)
{
	if (is_refused(c))
		return;
	if (!is_sendable(c->mail->head->sender) ||
	    !is_sendable(c->mail->head->envid)) {
		tell_all(c, CLIENT_LATER, STR("4.3.0"),
		    "a reverse-path that cannot be sent");
		return;
	}
	start_transaction(c);
}

/* --- asking -------------------------------------------------------------- */

static void ask_mail(struct client *c)
{
	const struct qfile_head *h = c->mail->head;
	char text[CLIENT_LINE_MAX];
	struct buf line = BUF(text);

	buf_putz(&line, "MAIL FROM:<");
	buf_put(&line, h->sender);
	buf_putc(&line, '>');
	if (has(c, EXTENSION_SIZE)) {
		buf_putz(&line, " SIZE=");
		buf_u64(&line, c->mail->size_bytes);
	}
	if (has(c, EXTENSION_8BITMIME) &&
	    (c->mail->beyond_ascii || h->body == QFILE_8BIT))
		buf_putz(&line, " BODY=8BITMIME");
	if (h->utf8)
		buf_putz(&line, " SMTPUTF8");
	if (h->requiretls && has(c, EXTENSION_REQUIRETLS) && c->secured)
		buf_putz(&line, " REQUIRETLS");
	if (has(c, EXTENSION_DSN) && h->ret != 0)
		buf_putz(&line, h->ret == 'F' ? " RET=FULL" : " RET=HDRS");
	if (has(c, EXTENSION_DSN) && h->envid.n > 0) {
		buf_putz(&line, " ENVID=");
		buf_put(&line, h->envid);
	}
	c->mail_asked = true;
	c->ndue++;
	client_ask(c, &line);
}

static void put_notify(struct buf *line, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	char between = '=';

	if (notify == 0)
		return;
	buf_putz(line, " NOTIFY");
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		buf_putc(line, between);
		buf_putz(line, words[i].word);
		between = ',';
	}
}

void handover_rcpt(struct client *c, const struct qfile_rcpt *r)
{
	char text[CLIENT_LINE_MAX];
	struct buf line = BUF(text);
	unsigned i = c->next_ask;

	if (!is_sendable(r->address) || !is_sendable(r->orcpt)) {
		client_tell(c, i, CLIENT_LATER, STR("4.3.0"),
		    STR("an address that cannot be sent"), false);
	} else if (!is_ascii(r->address) && !c->mail->head->utf8) {
		client_tell(c, i, CLIENT_NEVER, STR("5.6.7"),
		    STR("an address that needs SMTPUTF8"), false);
	} else {
		buf_putz(&line, "RCPT TO:<");
		buf_put(&line, r->address);
		buf_putc(&line, '>');
		if (has(c, EXTENSION_DSN)) {
			put_notify(&line, r->notify);
			if (r->orcpt.n > 0) {
				buf_putz(&line, " ORCPT=");
				buf_put(&line, r->orcpt);
			}
		}
		c->rcpt[i] = CLIENT_RCPT_ASKED;
		c->nasked++;
		c->nrcpts_due++;
		c->ndue++;
		client_ask(c, &line);
	}
	handover_go_on(c);
}

static bool may_ask(const struct client *c)
{
	if (!has(c, EXTENSION_PIPELINING))
		return c->ndue == 0;
	return c->ndue < CLIENT_WINDOW &&
	       c->out.cap - c->out.n >= CLIENT_LINE_MAX;
}

/* Is there one whom this transaction can still have? */
static bool has_next(const struct client *c)
{
	if (c->next_ask >= c->nrcpt || c->is_full)
		return false;
	return c->has.recipients_max == 0 || c->nasked < c->has.recipients_max;
}

bool handover_wants_rcpt(const struct client *c)
{
	return c->at == CLIENT_AT_ENVELOPE && c->mail_asked &&
	       (!c->mail_heard || c->mail_good) && !c->data_asked &&
	       has_next(c) && c->rcpt[c->next_ask] == CLIENT_RCPT_WAITS &&
	       may_ask(c);
}

static bool any_waits(const struct client *c)
{
	for (unsigned i = 0; i < c->nrcpt; i++)
		if (c->rcpt[i] == CLIENT_RCPT_WAITS)
			return true;
	return false;
}

/* This transaction is over. */
static void settle(struct client *c)
{
	if (any_waits(c))
		start_transaction(c);
	else
		c->at = CLIENT_AT_IDLE;
}

static void reset(struct client *c)
{
	char text[8];
	struct buf line = BUF(text);

	c->at = CLIENT_AT_RSET;
	buf_putz(&line, "RSET");
	client_ask(c, &line);
}

/* Everybody was asked, as far as this transaction goes. */
static void ask_data(struct client *c)
{
	char text[8];
	struct buf line = BUF(text);
	bool hopeful = c->mail_heard
			   ? c->mail_good && c->ntaken + c->nrcpts_due > 0
			   : c->nasked > 0;

	hopeful = hopeful && !c->setup->probe;
	if (!hopeful && c->ndue > 0)
		return;
	if (!hopeful) {
		if (c->mail_good)
			reset(c);
		else
			settle(c);
		return;
	}
	if (!may_ask(c))
		return;
	c->data_asked = true;
	c->ndue++;
	buf_putz(&line, "DATA");
	client_ask(c, &line);
}

void handover_go_on(struct client *c)
{
	if (c->at != CLIENT_AT_ENVELOPE)
		return;
	if (!c->mail_asked)
		ask_mail(c);
	while (c->at == CLIENT_AT_ENVELOPE && has_next(c) &&
	       c->rcpt[c->next_ask] != CLIENT_RCPT_WAITS)
		c->next_ask++;
	if (c->at == CLIENT_AT_ENVELOPE && !c->data_asked &&
	    (!has_next(c) || (c->mail_heard && !c->mail_good)))
		ask_data(c);
}

/* --- hearing ------------------------------------------------------------- */

static void hear_mail(struct client *c)
{
	unsigned class = c->reply.code / 100;

	c->mail_heard = true;
	c->mail_good = class == 2;
	if (class == 3)
		client_break(c, "an odd reply to MAIL");
	else if (!c->mail_good)
		tell_reply(c, false);
}

/* 452, and 552 of old servers, of which other status codes say more. */
static bool is_too_many(const struct client *c)
{
	struct str status = reply_status(&c->reply);

	if (c->reply.code != 452 && c->reply.code != 552)
		return false;
	return c->reply.nstatus == 0 || str_eq(status, STR("4.5.3")) ||
	       str_eq(status, STR("5.5.3"));
}

static void hear_rcpt(struct client *c)
{
	unsigned class = c->reply.code / 100, i = c->next_hear;

	c->nrcpts_due--;
	if (!c->mail_good)
		return; /* told already */
	while (i < c->nrcpt && c->rcpt[i] != CLIENT_RCPT_ASKED)
		i++;
	c->next_hear = i + 1;
	if (i >= c->nrcpt || class == 3) {
		client_break(c, "an odd reply to RCPT");
		return;
	}
	if (class == 2 && c->setup->probe) {
		client_tell_reply(c, i);
	} else if (class == 2) {
		c->rcpt[i] = CLIENT_RCPT_TAKEN;
		c->ntaken++;
	} else if (is_too_many(c) && c->ntaken > 0) {
		c->rcpt[i] = CLIENT_RCPT_WAITS;
		c->is_full = true;
	} else if (is_too_many(c)) {
		client_tell(c, i, CLIENT_LATER, STR("4.5.3"),
		    STR("too many recipients, says the next hop of the first"),
		    false);
	} else {
		client_tell_reply(c, i);
	}
}

static void hear_data(struct client *c)
{
	char text[8];
	struct buf line = BUF(text);

	if (c->reply.code / 100 == 2 ||
	    (c->reply.code / 100 == 3 && c->reply.code != 354)) {
		client_break(c, "an odd reply to DATA");
	} else if (c->reply.code != 354) {
		tell_reply(c, true);
		reset(c);
	} else if (c->ntaken > 0) {
		c->at = CLIENT_AT_CONTENT;
	} else if (c->setup->lmtp) {
		client_break(c, "content is wanted for nobody");
	} else {
		/* RFC 2920 3.1: it was asked, so it must be ended. */
		c->at = CLIENT_AT_EMPTY;
		buf_putz(&line, ".");
		client_ask(c, &line);
	}
}

static void hear_envelope(struct client *c)
{
	c->ndue--;
	if (!c->mail_heard)
		hear_mail(c);
	else if (c->nrcpts_due > 0)
		hear_rcpt(c);
	else
		hear_data(c);
	handover_go_on(c);
}

/* One for all, or from LMTP one for each, in their order. */
static void hear_final(struct client *c)
{
	unsigned i = 0;

	if (c->reply.code / 100 == 3) {
		client_break(c, "an odd reply to the content");
		return;
	}
	if (!c->setup->lmtp) {
		tell_reply(c, true);
		settle(c);
		return;
	}
	while (i < c->nrcpt && c->rcpt[i] != CLIENT_RCPT_TAKEN)
		i++;
	client_tell_reply(c, i);
	if (--c->ntaken == 0)
		settle(c);
}

void handover_hear(struct client *c)
{
	switch (c->at) {
	case CLIENT_AT_ENVELOPE:
		hear_envelope(c);
		break;
	case CLIENT_AT_CONTENT:
		/* A refusal in its midst; the end was not sent. */
		tell_reply(c, true);
		client_break(c, "refused before its end");
		break;
	case CLIENT_AT_FINAL:
		hear_final(c);
		break;
	case CLIENT_AT_EMPTY:
		reset(c);
		break;
	case CLIENT_AT_RSET:
		if (c->reply.code / 100 == 2)
			settle(c);
		else
			client_refuse(c);
		break;
	case CLIENT_AT_GREETING:
	case CLIENT_AT_EHLO:
	case CLIENT_AT_HELO:
	case CLIENT_AT_STARTTLS:
	case CLIENT_AT_HANDSHAKE:
	case CLIENT_AT_AUTH:
	case CLIENT_AT_IDLE:
	case CLIENT_AT_QUIT:
	case CLIENT_AT_END:
		break;
	}
}
