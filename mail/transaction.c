/*
 * The mail transaction, RFC 5321 3.3: MAIL, RCPT, DATA and BDAT, which build
 * an envelope and end in one verdict; and the replies of a session.
 */
#include "mail/transaction.h"

#include <errno.h>
#include <string.h>

#include "mail/answer.h"
#include "mail/content.h"

void transaction_reply(
    struct session *s, unsigned code, const char *status, const char *text)
{
	answer(&s->out, code, status, text);
	if (code >= 400)
		s->refused = true;
}

static void transaction_verdict(struct session *s, const struct verdict *v)
{
	if (answer_verdict(&s->out, v) >= 400)
		s->refused = true;
}

void transaction_close(
    struct session *s, unsigned code, const char *status, const char *text)
{
	transaction_reply(s, code, status, text);
	s->phase = SESSION_CLOSED;
}

/* Back to where a greeting leaves us: sender, recipients and content gone. */
void transaction_reset(struct session *s)
{
	content_close(s);
	s->nrcpt = 0;
	s->ngiven = 0;
	s->overshoot = 0;
	s->mail = (struct mail_command){ .body = BODY_7BIT };
	buf_clear(&s->room);
	if (s->state != SESSION_START)
		s->state = SESSION_READY;
}

void transaction_syntax(struct session *s, int rc, const char *path_status)
{
	switch ((enum command_answer)rc) {
	case COMMAND_OCTETS:
		transaction_reply(
		    s, 501, "5.5.2", "control octets in a command");
		break;
	case COMMAND_UNKNOWN:
		transaction_reply(s, 555, "5.5.4", "unknown parameter");
		break;
	case COMMAND_UTF8:
		transaction_reply(s, 553, "5.6.7", "address needs SMTPUTF8");
		break;
	case COMMAND_TOO_BIG:
		transaction_reply(
		    s, 552, "5.3.4", "message is larger than we take");
		break;
	case COMMAND_ADDRESS:
		transaction_reply(s, 501, path_status, "syntax of the address");
		break;
	case COMMAND_BAD:
		transaction_reply(s, 501, "5.5.4", "syntax of an argument");
		break;
	}
}

void transaction_mail(struct session *s, struct str arg)
{
	struct mail_command m;
	struct verdict v;
	int rc = command_mail(arg, s->set->inside, &m);

	if (rc != 0) {
		transaction_syntax(s, rc, "5.1.7");
		return;
	}
	if (s->set->require_tls && !s->secured) {
		transaction_reply(s, 530, "5.7.0", "STARTTLS comes first");
		return;
	}
	if (m.requiretls && !s->secured) { /* RFC 8689 2: not offered */
		transaction_syntax(s, COMMAND_UNKNOWN, NULL);
		return;
	}
	if (m.size_bytes > session_size_limit(s)) {
		transaction_syntax(s, COMMAND_TOO_BIG, NULL);
		return;
	}
	if (!s->host->has_room(s->host->self, m.size_bytes)) {
		v = content_fault(-ENOSPC);
		transaction_verdict(s, &v);
		return;
	}
	if (s->set->local && !session_is_queue(s)) {
		s->host->may_send(s->host->self, &m.from, &v);
		if (v.kind != VERDICT_DONE) {
			transaction_verdict(s, &v);
			return;
		}
	}
	s->mail = m;
	if (m.envid.n > 0) {
		memcpy(s->envid, m.envid.p, m.envid.n);
		s->mail.envid.p = s->envid;
	}
	s->state = SESSION_MAIL;
	transaction_reply(s, 250, "2.1.0", "sender ok");
}

/* Keeps an address; false when there is no room for it. */
static bool keep_addr(struct session *s, const struct rcpt_command *r,
    const struct session_rcpt *how, struct str owner, struct str via)
{
	struct session_rcpt *k = &s->rcpt[s->nrcpt];
	struct buf mark = s->room;

	if (s->nrcpt >= SESSION_RCPT_MAX)
		return false;
	*k = *how;
	k->at = (uint32_t)s->room.n;
	k->nlocal = r->to.nlocal;
	k->ndomain = r->to.ndomain;
	k->host = r->to.host;
	k->notify = (unsigned char)r->notify;
	k->norcpt = (unsigned short)r->orcpt.n;
	k->nowner = (unsigned short)owner.n;
	k->nvia = (unsigned short)via.n;
	buf_put(&s->room, addr_local(&r->to));
	buf_put(&s->room, addr_domain(&r->to));
	buf_put(&s->room, r->orcpt);
	buf_put(&s->room, owner);
	buf_put(&s->room, via);
	if (s->room.full) {
		s->room = mark;
		return false;
	}
	s->nrcpt++;
	return true;
}

static bool is_known_owner(const struct session *s, struct str owner)
{
	struct str others[SESSION_OWNERS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->nrcpt; i++) {
		struct str one = session_rcpt_owner(s, i);
		unsigned k = 0;

		if (str_eq(one, owner))
			return true;
		while (k < n && !str_eq(others[k], one))
			k++;
		if (one.n > 0 && k == n && n < SESSION_OWNERS_MAX)
			others[n++] = one;
	}
	return n < SESSION_OWNERS_MAX;
}

/*
 * An address that an alias leads to.  What the sender asked to be told goes
 * with it, unless it is a list's, whose owner hears of its members.
 */
static bool keep_forward(struct session *s, const struct rcpt_command *alias,
    struct str address, struct str owner, struct str sender, struct str via)
{
	struct session_rcpt how = { .route = SESSION_QUEUED,
		.rewritten = owner.n == 0 && sender.n > 0 };
	struct rcpt_command r = { .notify = alias->notify,
		.orcpt = alias->orcpt };

	if (owner.n > 0) {
		r.notify = 0;
		r.orcpt = STR("");
	} else {
		owner = sender;
	}
	return addr_mailbox(address, ADDR_UTF8_OK, &r.to) == 0 &&
	       owner.n <= ADDR_TEXT_MAX &&
	       (owner.n == 0 || is_known_owner(s, owner)) &&
	       keep_addr(s, &r, &how, owner, via);
}

/* Keeps the recipient, or whomever he stands for; false when there is no room
 * for all of them. */
static bool keep_rcpt(struct session *s, const struct rcpt_command *r,
    struct session_rcpt *how, const struct forwards *f)
{
	struct str list = f->list, address, owner;
	char text[ADDR_TEXT_MAX];
	struct buf mark = s->room, via = BUF(text);
	unsigned nrcpt = s->nrcpt;
	bool kept = true;

	how->forwarded = list.n > 0;
	how->sum = request_sum(list);
	if (list.n == 0 || f->mailboxes)
		kept = keep_addr(s, r, how, STR(""), STR(""));
	addr_put(&via, &r->to);
	while (kept && request_forward(&list, &address, &owner) == 0) {
		kept = keep_forward(
		    s, r, address, owner, f->sender, buf_str(&via));
		buf_clear(&via);
	}
	if (kept) {
		s->ngiven++;
		s->state = SESSION_RCPT;
	} else {
		s->room = mark;
		s->nrcpt = nrcpt;
	}
	return kept;
}

/*
 * Who serves this recipient, and will he?  RFC 5321 3.6 and 7.9.  Who has no
 * queue of his own is never told "later".
 */
static struct verdict judge_rcpt(struct session *s, const struct addr *to,
    struct session_rcpt *how, struct forwards *f)
{
	struct verdict v = { VERDICT_DONE, STR("2.1.5"), STR("") };

	how->ours =
	    to->host == HOST_NONE || s->host->is_local(s->host->self, to);
	how->route = how->ours ? SESSION_LOCAL : SESSION_QUEUED;
	if (how->ours || s->host->is_relayed(s->host->self, to))
		s->host->lookup(s->host->self, to, &v, f);
	else if (!s->set->inside)
		v = (struct verdict){ VERDICT_NEVER, STR("5.7.1"),
			STR("we do not relay for you to that domain") };
	if (v.kind == VERDICT_FORWARD)
		v.kind = f->list.n > 0 ? VERDICT_DONE : VERDICT_LATER;
	else
		f->list = STR("");
	if (v.kind == VERDICT_LATER && session_defers(s)) {
		v.kind = VERDICT_DONE;
		if (how->ours)
			how->route = SESSION_DEFERRED;
	}
	return v;
}

/*
 * A client that pipelines may run well past the limit before it hears of it:
 * no error until it has done so twice over.
 */
static void too_many(struct session *s)
{
	answer(&s->out, 452, "4.5.3", "too many recipients");
	s->refused = ++s->overshoot > s->set->rcpt_limit;
}

void transaction_rcpt(struct session *s, struct str arg)
{
	struct session_rcpt how = { 0 };
	struct forwards f = { 0 };
	struct rcpt_command r;
	struct verdict v;
	int rc = command_rcpt(arg, s->set->inside, s->mail.smtputf8, &r);

	if (rc != 0) {
		transaction_syntax(s, rc, "5.1.3");
		return;
	}
	if (s->ngiven >= s->set->rcpt_limit) {
		too_many(s);
		return;
	}
	v = judge_rcpt(s, &r.to, &how, &f);
	if (v.kind != VERDICT_DONE)
		transaction_verdict(s, &v);
	else if (!keep_rcpt(s, &r, &how, &f))
		too_many(s);
	else
		transaction_reply(s, 250, "2.1.5", "recipient ok");
}

static bool open_message(struct session *s)
{
	int rc = content_open(s);
	struct verdict v;

	if (rc == 0)
		return true;
	v = content_fault(rc);
	transaction_verdict(s, &v);
	return false;
}

void transaction_data(struct session *s, struct str arg)
{
	(void)arg;
	if (s->state == SESSION_MAIL) {
		transaction_reply(s, 554, "5.5.1", "no valid recipients");
		return;
	}
	if (!open_message(s))
		return;
	s->phase = SESSION_DATA;
	transaction_reply(s, 354, NULL, "go on, end with a dot on a line");
}

/* The message was read whole: its verdict ends the transaction. */
void transaction_end(struct session *s)
{
	struct verdict v;

	content_commit(s, &v);
	transaction_verdict(s, &v);
	if (v.kind == VERDICT_DONE) {
		s->naccepted++;
		s->errors = 0;
		s->junk = 0;
	}
	transaction_reset(s);
}

/* The octets of this BDAT are through: only now comes its reply. */
void transaction_end_chunk(struct session *s)
{
	s->phase = SESSION_COMMAND;
	switch (s->chunk_code) {
	case 0:
		if (s->chunk_last)
			transaction_end(s);
		else
			transaction_reply(s, 250, "2.0.0", "chunk ok");
		break;
	case 503:
		transaction_reply(s, 503, "5.5.1", "bad sequence of commands");
		break;
	case 554:
		transaction_reply(s, 554, "5.5.1", "no valid recipients");
		break;
	default:
		transaction_verdict(s, &s->chunk_fault);
		break;
	}
}

/* The first BDAT of a message. */
static void open_chunks(struct session *s)
{
	int rc = content_open(s);

	if (rc == 0) {
		s->state = SESSION_CHUNKS;
		return;
	}
	s->chunk_code = 451;
	s->chunk_fault = content_fault(rc);
	transaction_reset(s);
}

/*
 * RFC 3030 2: the octets follow whatever we think of the command, so its
 * reply waits until they are read.  A size that cannot be read leaves no way
 * to tell octets from commands: the session ends.
 */
void transaction_bdat(struct session *s, struct str arg)
{
	uint64_t size;

	if (command_bdat(arg, &size, &s->chunk_last) != 0) {
		transaction_close(
		    s, 421, "4.5.4", "BDAT without a size, closing");
		return;
	}
	s->chunk_left = size;
	s->chunk_code = 0;
	s->phase = SESSION_CHUNK;
	if (s->state == SESSION_MAIL)
		s->chunk_code = 554;
	else if ((s->state & (SESSION_RCPT | SESSION_CHUNKS)) == 0)
		s->chunk_code = 503;
	else if (s->state == SESSION_RCPT)
		open_chunks(s);
	if (size == 0 && !s->chunk_last)
		s->junk++;
	if (size == 0)
		transaction_end_chunk(s);
}
