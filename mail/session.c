/*
 * The commands of SMTP, RFC 5321 4.1: which may come when, and what each
 * does.  The verb table holds the rules, the handlers the rest.  What the
 * octets of a message are is mail/content.c's business.
 */
#include "mail/session.h"

#include <string.h>

#include "mail/content.h"
#include "mail/transaction.h"

enum arg_rule { ARG_NONE, ARG_NEEDED, ARG_ANY };

struct verb {
	struct str name;
	void (*handle)(struct session *s, struct str arg);
	unsigned states;         /* where it may come; elsewhere 503 */
	enum arg_rule arg;       /* else 501 */
	bool last;               /* nothing may be sent ahead behind it */
	bool junk;               /* leads to no message: counted */
	unsigned short line_max; /* octets with CR LF */
};

/* A domain or an address literal in ASCII, RFC 5321 4.1.1.1. */
static bool is_helo_name(struct str name)
{
	char text[DOMAIN_MAX];
	struct buf b = BUF(text);

	if (name.n > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= 0x20 ||
		    (unsigned char)name.p[i] > 0x7e)
			return false;
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		return str_find(str_skip(name, 1), '[') == name.n - 1;
	return domain_ascii(name, &b) == 0;
}

static bool greet(struct session *s, struct str arg, bool esmtp)
{
	struct str name = str_head(arg, str_find(arg, ' '));

	if (!is_helo_name(name)) {
		transaction_reply(
		    s, 501, "5.5.4", "a domain or address literal is needed");
		return false;
	}
	transaction_reset(s);
	s->state = SESSION_READY;
	s->esmtp = esmtp;
	s->nhelo = name.n;
	memcpy(s->helo, name.p, name.n);
	return true;
}

static void do_helo(struct session *s, struct str arg)
{
	if (!greet(s, arg, false))
		return;
	buf_putz(&s->out, "250 ");
	buf_put(&s->out, s->set->hostname);
	buf_putz(&s->out, "\r\n");
}

static void do_ehlo(struct session *s, struct str arg)
{
	if (!greet(s, arg, true))
		return;
	buf_putz(&s->out, "250-");
	buf_put(&s->out, s->set->hostname);
	buf_putz(&s->out, "\r\n250-PIPELINING\r\n250-SIZE ");
	buf_u64(&s->out, s->set->size_limit_bytes);
	buf_putz(&s->out,
	    "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n"
	    "250-SMTPUTF8\r\n250-CHUNKING\r\n250-LIMITS RCPTMAX=");
	buf_u64(&s->out, s->set->rcpt_limit);
	if (s->secured)
		buf_putz(&s->out, "\r\n250-REQUIRETLS");
	else if (s->set->starttls)
		buf_putz(&s->out, "\r\n250-STARTTLS");
	buf_putz(&s->out, "\r\n250 HELP\r\n");
}

static void do_rset(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reset(s);
	transaction_reply(s, 250, "2.0.0", "ok");
}

static void do_noop(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reply(s, 250, "2.0.0", "ok");
}

static void do_help(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reply(s, 214, "2.0.0",
	    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
}

static void do_vrfy(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reply(s, 252, "2.5.2", "send mail and it will be tried");
}

static void do_starttls(struct session *s, struct str arg)
{
	if (s->secured)
		transaction_reply(s, 503, "5.5.1", "this is TLS already");
	else if (!s->set->starttls)
		transaction_reply(s, 502, "5.5.1", "not done here");
	else if (arg.n > 0)
		transaction_reply(s, 501, "5.5.4", "no argument is allowed");
	else
		s->phase = SESSION_TLS;
}

static void do_quit(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reset(s);
	transaction_close(s, 221, "2.0.0", "bye");
	s->quit = true;
}

static void do_nothing(struct session *s, struct str arg)
{
	(void)arg;
	transaction_reply(s, 502, "5.5.1", "not done here");
}

#define ANYWHERE                                                       \
	(SESSION_START | SESSION_READY | SESSION_MAIL | SESSION_RCPT | \
	    SESSION_CHUNKS)
#define NOT_IN_CHUNKS \
	(SESSION_START | SESSION_READY | SESSION_MAIL | SESSION_RCPT)

/* clang-format off */
static const struct verb verbs[] = {
	/* name, handler, states, argument, last, junk, line */
	{ { "EHLO", 4 }, do_ehlo, ANYWHERE,		 ARG_NEEDED, true,  true,  COMMAND_LINE_MAX },
	{ { "HELO", 4 }, do_helo, ANYWHERE,		 ARG_NEEDED, true,  true,  COMMAND_LINE_MAX },
	{ { "MAIL", 4 }, transaction_mail, SESSION_READY,	 ARG_NEEDED, false, true,  COMMAND_PATH_LINE_MAX },
	{ { "RCPT", 4 }, transaction_rcpt, SESSION_MAIL | SESSION_RCPT, ARG_NEEDED, false, false, COMMAND_PATH_LINE_MAX },
	{ { "DATA", 4 }, transaction_data, SESSION_MAIL | SESSION_RCPT, ARG_NONE, true, false, COMMAND_LINE_MAX },
	{ { "BDAT", 4 }, transaction_bdat, ANYWHERE,		 ARG_ANY,    false, false, COMMAND_LINE_MAX },
	{ { "RSET", 4 }, do_rset, ANYWHERE,		 ARG_NONE,   false, true,  COMMAND_LINE_MAX },
	{ { "NOOP", 4 }, do_noop, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "HELP", 4 }, do_help, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "VRFY", 4 }, do_vrfy, ANYWHERE,		 ARG_NEEDED, false, true,  COMMAND_LINE_MAX },
	{ { "QUIT", 4 }, do_quit, ANYWHERE,		 ARG_NONE,   false, false, COMMAND_LINE_MAX },
	{ { "EXPN", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "AUTH", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "STARTTLS", 8 }, do_starttls, NOT_IN_CHUNKS,	 ARG_ANY,    true,  true,  COMMAND_LINE_MAX },
	{ { "ETRN", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "TURN", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "SEND", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "SOML", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { "SAML", 4 }, do_nothing, ANYWHERE,		 ARG_ANY,    false, true,  COMMAND_LINE_MAX },
	{ { NULL, 0 },	 NULL,	  0,			 ARG_ANY,    false, true,  COMMAND_LINE_MAX }
};
/* clang-format on */

/* The row of a verb; the last row, without a handler, for an unknown one. */
static const struct verb *verb_of(struct str name)
{
	const struct verb *v = verbs;

	while (v->handle && !str_eqcase(v->name, name))
		v++;
	return v;
}

/* The rules of the table, then the handler. */
static void obey(struct session *s, const struct verb *v, struct str arg)
{
	if (!v->handle)
		transaction_reply(s, 500, "5.5.1", "unknown command");
	else if ((v->arg == ARG_NONE && arg.n > 0) ||
		 (v->arg == ARG_NEEDED && arg.n == 0))
		transaction_reply(s, 501, "5.5.4",
		    v->arg == ARG_NONE ? "no argument is allowed"
				       : "an argument is needed");
	else if ((v->states & s->state) == 0)
		transaction_reply(s, 503, "5.5.1", "bad sequence of commands");
	else
		v->handle(s, arg);
}

/* Tells the log what was refused, and ends a session that tries too often. */
static void settle(struct session *s, struct str line, size_t out_before)
{
	struct str said = str_skip(buf_str(&s->out), out_before);

	if (s->refused) {
		s->refused = false;
		s->errors++;
		s->nrefused++;
		s->host->refused(
		    s->host->self, line, str_head(said, str_find(said, '\r')));
	}
	if (s->phase == SESSION_CLOSED)
		return;
	if (s->errors >= SESSION_ERRORS_MAX || s->junk >= SESSION_JUNK_MAX) {
		transaction_reset(s);
		transaction_close(s, 421, "4.7.0", "too many errors, closing");
	}
}

/*
 * A command line without its end.  `ahead`: octets behind it were sent before
 * its reply, which no client may do at the end of a group (RFC 2920 3.1).
 */
static void command(struct session *s, struct str line, bool ahead)
{
	size_t before = s->out.n;
	struct command c;
	const struct verb *v;

	if (command_split(line, &c) != 0) {
		transaction_syntax(s, COMMAND_OCTETS, NULL);
		s->junk++;
		settle(s, line, before);
		return;
	}
	v = verb_of(c.verb);
	s->junk += v->junk;
	if (line.n + 2 > v->line_max)
		transaction_reply(s, 500, "5.5.2", "line too long");
	else if (!v->handle && command_is_foreign(line))
		transaction_close(s, 421, "4.7.0", "this is SMTP, closing");
	else if (v->last && !s->set->piped &&
		 (ahead || s->host->pending(s->host->self)))
		transaction_close(
		    s, 554, "5.5.0", "input was sent ahead, closing");
	else
		obey(s, v, c.arg);
	settle(s, line, before);
}

/* The rest of a line too long: nothing of it is ever a command. */
static size_t input_skip(struct session *s, struct str in)
{
	size_t lf = str_find(in, '\n'), before = s->out.n;

	if (lf == in.n)
		return in.n;
	s->phase = SESSION_COMMAND;
	s->junk++;
	transaction_reply(s, 500, "5.5.2", "line too long");
	settle(s, STR("(too long)"), before);
	return lf + 1;
}

/* A line ends in CR LF; with another end it is no command. */
static size_t input_command(struct session *s, struct str in)
{
	size_t lf = str_find(in, '\n'), before = s->out.n;
	struct str line = str_head(in, lf);

	if (lf >= COMMAND_PATH_LINE_MAX ||
	    (lf == in.n && in.n >= COMMAND_PATH_LINE_MAX)) {
		s->phase = SESSION_SKIP;
		return input_skip(s, in);
	}
	if (lf == in.n)
		return 0;
	if (lf > 0 && line.p[lf - 1] == '\r') {
		line.n--;
		command(s, line, in.n > lf + 1);
	} else {
		s->junk++;
		transaction_reply(s, 500, "5.5.2", "lines end in CR LF");
		settle(s, line, before);
	}
	return lf + 1;
}

static size_t input_data(struct session *s, struct str in)
{
	size_t used = content_data(s, in), before = s->out.n;

	if (s->data.at == DATA_END) {
		s->phase = SESSION_COMMAND;
		transaction_end(s);
		settle(s, STR("."), before);
	}
	return used;
}

static size_t input_chunk(struct session *s, struct str in)
{
	size_t used = content_chunk(s, in), before = s->out.n;

	if (s->chunk_left == 0) {
		transaction_end_chunk(s);
		settle(s, STR("BDAT"), before);
	}
	return used;
}

size_t session_input(struct session *s, struct str in)
{
	if (in.n == 0)
		return 0;
	switch (s->phase) {
	case SESSION_COMMAND:
		return input_command(s, in);
	case SESSION_SKIP:
		return input_skip(s, in);
	case SESSION_DATA:
		return input_data(s, in);
	case SESSION_CHUNK:
		return input_chunk(s, in);
	case SESSION_TLS:
		return 0;
	case SESSION_CLOSED:
		break;
	}
	return in.n;
}

static void start(struct session *s, const struct session_setup *set,
    const struct session_host *host)
{
	s->set = set;
	s->host = host;
	s->state = SESSION_START;
	s->phase = SESSION_COMMAND;
	s->out = BUF(s->out_text);
	s->room = BUF(s->room_text);
	s->content = BUF(s->content_text);
}

void session_init(struct session *s, const struct session_setup *set,
    const struct session_host *host)
{
	start(s, set, host);
	if (!set->piped && host->pending(host->self)) {
		transaction_close(
		    s, 554, "5.5.0", "wait for the greeting, closing");
		return;
	}
	buf_putz(&s->out, "220 ");
	buf_put(&s->out, set->hostname);
	buf_putz(&s->out, " ESMTP postern\r\n");
}

void session_turn_away(struct session *s, const char *status, const char *text)
{
	s->out = BUF(s->out_text);
	transaction_close(s, 421, status, text);
}

void session_tls_go(struct session *s)
{
	transaction_reply(s, 220, "2.0.0", "go on with TLS");
}

void session_tls_refuse(struct session *s)
{
	size_t before = s->out.n;

	s->phase = SESSION_COMMAND;
	transaction_reply(s, 454, "4.7.0", "TLS is not available now");
	settle(s, STR("STARTTLS"), before);
}

static unsigned char keep_word(char *room, struct str word)
{
	word = str_head(word, SECURED_WORD_MAX);
	memcpy(room, word.p, word.n);
	return (unsigned char)word.n;
}

void session_secured(struct session *s, const struct secured *how)
{
	if (s->host)
		transaction_reset(s);
	s->state = SESSION_START;
	s->phase = SESSION_COMMAND;
	s->esmtp = false;
	s->nhelo = 0;
	s->secured = true;
	s->nversion = keep_word(s->version, how->version);
	s->ncipher = keep_word(s->cipher, how->cipher);
}

bool session_is_idle(const struct session *s)
{
	return s->phase == SESSION_COMMAND && s->state != SESSION_CHUNKS;
}

void session_shutdown(struct session *s, const char *status, const char *text)
{
	transaction_reset(s);
	transaction_close(s, 421, status, text);
}

void session_end(struct session *s)
{
	transaction_reset(s);
	s->phase = SESSION_CLOSED;
}
