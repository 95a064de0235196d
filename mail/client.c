/*
 * The client's side of a connection: greeting, EHLO, STARTTLS, AUTH, and the
 * end.  What belongs to a message is in mail/handover.c.
 *
 * Every command is one line, so the line ends that were sent are the replies
 * that are owed; one more is a break.
 */
#include "mail/client.h"

#include "mail/handover.h"
#include "mail/opening.h"

enum { EHLO_LINE_MAX = 512 };

void client_start(struct client *c, const struct client_setup *setup)
{
	c->setup = setup;
	c->at = CLIENT_AT_GREETING;
	c->secured = setup->tls == CLIENT_TLS_IS;
	c->authenticated = c->clear_for_good = false;
	c->has = (struct extensions){ 0 };
	c->asked = 1; /* by connecting */
	c->heard = 0;
	c->reply = (struct reply){ 0 };
	c->nline = 0;
	c->nraw = 0;
	c->line_open = c->line_cut = false;
	c->out_at = 0;
	c->out = BUF(c->room);
	c->mail = NULL;
	c->nrcpt = c->ntransactions = 0;
	c->end.quit = c->end.unsecured = false;
	c->end.nstatus = 0;
	c->end.ntext = 0;
}

enum client_want client_want(const struct client *c)
{
	switch (c->at) {
	case CLIENT_AT_HANDSHAKE:
		return CLIENT_TLS;
	case CLIENT_AT_IDLE:
		return CLIENT_READY;
	case CLIENT_AT_ENVELOPE:
		return handover_wants_rcpt(c) ? CLIENT_RCPT : CLIENT_REPLY;
	case CLIENT_AT_CONTENT:
		return CLIENT_CONTENT;
	case CLIENT_AT_END:
		return CLIENT_END;
	case CLIENT_AT_GREETING:
	case CLIENT_AT_EHLO:
	case CLIENT_AT_HELO:
	case CLIENT_AT_STARTTLS:
	case CLIENT_AT_AUTH:
	case CLIENT_AT_FINAL:
	case CLIENT_AT_EMPTY:
	case CLIENT_AT_RSET:
	case CLIENT_AT_QUIT:
		break;
	}
	return CLIENT_REPLY;
}

unsigned client_patience_s(const struct client *c)
{
	switch (c->at) {
	case CLIENT_AT_CONTENT:
		return 180;
	case CLIENT_AT_FINAL:
		return 600;
	case CLIENT_AT_ENVELOPE:
		return c->data_asked ? 120 : 300;
	case CLIENT_AT_QUIT:
		return 10; /* nothing depends on it */
	case CLIENT_AT_GREETING:
	case CLIENT_AT_EHLO:
	case CLIENT_AT_HELO:
	case CLIENT_AT_STARTTLS:
	case CLIENT_AT_HANDSHAKE:
	case CLIENT_AT_AUTH:
	case CLIENT_AT_IDLE:
	case CLIENT_AT_EMPTY:
	case CLIENT_AT_RSET:
	case CLIENT_AT_END:
		break;
	}
	return 300;
}

/* --- what is sent -------------------------------------------------------- */

struct str client_output(const struct client *c)
{
	return str_skip(buf_str(&c->out), c->out_at);
}

void client_written(struct client *c, size_t n)
{
	struct str sent = str_head(client_output(c), n);

	c->out_at += sent.n;
	for (size_t i = 0; i < sent.n; i++)
		if (sent.p[i] == '\n')
			c->asked++;
	if (c->out_at == c->out.n) {
		buf_clear(&c->out);
		c->out_at = 0;
	}
	if (c->at == CLIENT_AT_ENVELOPE)
		handover_go_on(c);
}

void client_ask(struct client *c, struct buf *line)
{
	buf_putz(line, "\r\n");
	buf_put(&c->out, buf_str(line));
	if (line->full || c->out.full)
		client_break(c, "a command that is too long");
}

void client_say(struct client *c, const char *verb, struct str argument)
{
	char text[CLIENT_LINE_MAX];
	struct buf line = BUF(text);

	buf_putz(&line, verb);
	buf_put(&line, argument);
	client_ask(c, &line);
}

/* --- the end ------------------------------------------------------------- */

static void set_end(struct client *c, struct str status, struct str text)
{
	struct buf s = { c->end.status, 0, sizeof(c->end.status), false };
	struct buf t = BUF(c->end.text);

	buf_put(&s, status);
	buf_escape(&t, text, sizeof(c->end.text));
	c->end.nstatus = (char)s.n;
	c->end.ntext = (unsigned char)t.n;
}

void client_lost(struct client *c, struct str status, struct str text)
{
	bool under_way = c->at == CLIENT_AT_CONTENT || c->at == CLIENT_AT_FINAL;

	if (c->at == CLIENT_AT_END)
		return;
	set_end(c, status, text);
	c->at = CLIENT_AT_END;
	/* It may have been taken: another host must not be tried now. */
	for (unsigned i = 0; under_way && i < c->nrcpt; i++)
		if (c->rcpt[i] == CLIENT_RCPT_TAKEN)
			client_tell(c, i, CLIENT_LATER, status, text, false);
}

void client_break(struct client *c, const char *text)
{
	client_lost(c, STR("4.5.0"), str_of(text));
}

struct str client_end_status(const struct client *c)
{
	return str_at(c->end.status, (size_t)c->end.nstatus);
}

struct str client_end_text(const struct client *c)
{
	return str_at(c->end.text, c->end.ntext);
}

/* "450 4.2.0 busy"; the status only where it was given. */
static struct str reply_whole(const struct client *c, struct buf *b)
{
	buf_u64(b, c->reply.code);
	if (c->reply.nstatus > 0) {
		buf_putc(b, ' ');
		buf_put(b, reply_status(&c->reply));
	}
	if (c->reply.ntext > 0) {
		buf_putc(b, ' ');
		buf_put(b, str_head(reply_text(&c->reply), b->cap - b->n));
	}
	return buf_str(b);
}

/* The status of a reply, in the class 4: it is not the last word. */
static struct str later_status(const struct client *c, struct buf *b)
{
	buf_put(b, reply_status(&c->reply));
	b->p[0] = '4';
	return buf_str(b);
}

/* This host will not have us: the next one, or later. */
void client_refuse(struct client *c)
{
	char text[CLIENT_TEXT_MAX], status[REPLY_STATUS_MAX];
	struct buf t = BUF(text), s = BUF(status);

	client_lost(c, later_status(c, &s), reply_whole(c, &t));
}

void client_refuse_tls(struct client *c, const char *text)
{
	client_lost(c, STR("4.7.5"), str_of(text));
	c->end.unsecured = true;
}

/* --- what becomes of recipients ------------------------------------------ */

void client_tell(struct client *c, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said)
{
	if (c->rcpt[index] == CLIENT_RCPT_NONE)
		return;
	c->rcpt[index] = CLIENT_RCPT_NONE;
	c->setup->tell(c->setup->arg, index, fate, status, text, said);
}

void client_tell_reply(struct client *c, unsigned index)
{
	char text[CLIENT_TEXT_MAX], status[REPLY_STATUS_MAX];
	struct buf t = BUF(text), s = BUF(status);
	struct str whole = reply_whole(c, &t);
	unsigned class = c->reply.code / 100;

	if (class == 2)
		client_tell(c, index,
		    c->has.have & EXTENSION_DSN ? CLIENT_DONE : CLIENT_RELAYED,
		    reply_status(&c->reply), whole, true);
	else if (class == 5)
		client_tell(c, index, CLIENT_NEVER, reply_status(&c->reply),
		    whole, true);
	else
		client_tell(
		    c, index, CLIENT_LATER, later_status(c, &s), whole, true);
}

/* --- what is heard ------------------------------------------------------- */

static void hear(struct client *c)
{
	switch (c->at) {
	case CLIENT_AT_GREETING:
	case CLIENT_AT_EHLO:
	case CLIENT_AT_HELO:
	case CLIENT_AT_STARTTLS:
	case CLIENT_AT_AUTH:
		opening_hear(c);
		break;
	case CLIENT_AT_QUIT:
		c->end.quit = true;
		c->at = CLIENT_AT_END;
		break;
	case CLIENT_AT_ENVELOPE:
	case CLIENT_AT_CONTENT:
	case CLIENT_AT_FINAL:
	case CLIENT_AT_EMPTY:
	case CLIENT_AT_RSET:
		handover_hear(c);
		break;
	case CLIENT_AT_IDLE:
	case CLIENT_AT_HANDSHAKE:
	case CLIENT_AT_END:
		client_break(c, "a reply that nobody asked for");
		break;
	}
}

/* A line is whole. */
static void end_line(struct client *c)
{
	struct str line = str_at(c->raw, c->nraw);

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	c->nraw = line.n;
	if (c->at == CLIENT_AT_EHLO && c->nline > 0 && line.n > 4 &&
	    line.n <= EHLO_LINE_MAX && !c->line_cut)
		extensions_add(&c->has, str_skip(line, 4));
	c->nline++;
}

/* The octets of a reply once more, by lines. */
static void keep(struct client *c, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!c->line_open) {
			c->line_open = true;
			c->line_cut = false;
			c->nraw = 0;
		}
		if (s.p[i] == '\n') {
			c->line_open = false;
			end_line(c);
		} else if (c->nraw < sizeof(c->raw)) {
			c->raw[c->nraw++] = s.p[i];
		} else {
			c->line_cut = true;
		}
	}
}

/* A reply is whole. */
static void hear_reply(struct client *c)
{
	bool owed = c->heard < c->asked;
	bool refusal = c->at == CLIENT_AT_CONTENT && c->reply.code >= 400;

	c->heard++;
	if (c->reply.code == 421 && c->at != CLIENT_AT_QUIT) {
		client_refuse(c);
		return;
	}
	if (!owed && !refusal) {
		client_break(c, "a reply that nobody asked for");
		return;
	}
	hear(c);
}

void client_feed(struct client *c, struct str in)
{
	while (in.n > 0 && c->at != CLIENT_AT_END) {
		struct str rest = in;
		int rc;

		if (c->at == CLIENT_AT_HANDSHAKE) {
			/* Injected before the handshake, CVE-2011-0411. */
			client_refuse_tls(c, "octets in clear behind STARTTLS");
			return;
		}
		rc = reply_feed(&c->reply, &rest);
		keep(c, str_head(in, in.n - rest.n));
		in = rest;
		if (rc == 0)
			return;
		if (rc == REPLY_BAD) {
			client_break(c, "no reply of SMTP");
			return;
		}
		hear_reply(c);
		c->reply = (struct reply){ 0 };
		c->nline = 0;
	}
}

/* --- what the caller has done ------------------------------------------------------------ */

void client_secured(struct client *c)
{
	if (c->at != CLIENT_AT_HANDSHAKE)
		return;
	c->secured = true;
	opening_begin(c); /* nothing heard before counts, RFC 3207 4.2 */
}

void client_begin(struct client *c, const struct client_mail *m, unsigned nrcpt,
    const bool *wanted)
{
	if (c->at != CLIENT_AT_IDLE)
		return;
	c->mail = m;
	c->nrcpt = nrcpt < QFILE_RCPT_MAX ? nrcpt : QFILE_RCPT_MAX;
	for (unsigned i = 0; i < c->nrcpt; i++)
		c->rcpt[i] = wanted[i] ? CLIENT_RCPT_WAITS : CLIENT_RCPT_NONE;
	handover_begin(c);
}

unsigned client_index(const struct client *c)
{
	return c->next_ask;
}

void client_give_rcpt(struct client *c, const struct qfile_rcpt *r)
{
	if (handover_wants_rcpt(c))
		handover_rcpt(c, r);
}

void client_sent(struct client *c)
{
	if (c->at != CLIENT_AT_CONTENT)
		return;
	c->at = CLIENT_AT_FINAL;
	c->asked += c->setup->lmtp ? c->ntaken : 1;
}

void client_quit(struct client *c)
{
	if (c->at != CLIENT_AT_IDLE)
		return;
	c->at = CLIENT_AT_QUIT;
	client_say(c, "QUIT", STR(""));
}
