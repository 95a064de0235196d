/*
 * A whole session.  Properties: the same octets give the same replies and the
 * same stored messages however they are cut; no stored message holds a NUL or
 * a CR, each is stored once for each 250 that ends one, and every reply is a
 * whole line within RFC 5321 4.5.3.1.5.
 */
#include "mail/session.h"

#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 1 << 20, STORE_MAX = 1 << 20 };

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* What a session did, in one run. */
struct run {
	struct session session;
	struct buf out, store;
	unsigned ncommits;
	size_t message; /* where the open message begins in store */
	bool open;
	char out_text[OUT_MAX], store_text[STORE_MAX];
};

static struct run whole, pieces;

static const char forwards[] = "a@away.example\0\0b@away.example\0o@c.example";

/* x: nobody; f: an alias; m: one that leads to a mailbox too. */
static void lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	(void)self;
	*v = (struct verdict){ VERDICT_DONE, STR("2.1.5"), STR("ok") };
	if (to->nlocal > 0 && to->local[0] == 'x')
		*v = (struct verdict){ VERDICT_NEVER, STR("5.1.1"),
			STR("no such user") };
	if (to->nlocal > 0 && (to->local[0] == 'f' || to->local[0] == 'm')) {
		v->kind = VERDICT_FORWARD;
		f->mailboxes = to->local[0] == 'm';
		f->list = str_at(forwards, sizeof(forwards) - 1);
	}
}

static bool is_local(void *self, const struct addr *to)
{
	(void)self;
	return str_eq(addr_domain(to), STR("here.example"));
}

static bool is_relayed(void *self, const struct addr *to)
{
	(void)self;
	(void)to;
	return false;
}

static int open_message(void *self, struct str *id)
{
	struct run *r = self;

	MUST(!r->open);
	r->open = true;
	r->message = r->store.n;
	*id = STR("id");
	return 0;
}

static int write_message(void *self, struct str content)
{
	struct run *r = self;

	MUST(r->open);
	buf_put(&r->store, content);
	return 0;
}

static void commit(
    void *self, const struct session *s, struct str rest, struct verdict *v)
{
	struct run *r = self;
	struct str m;

	buf_put(&r->store, rest);
	m = str_skip(buf_str(&r->store), r->message);
	MUST(r->open && s->nrcpt > 0);
	MUST(str_find(m, '\0') == m.n && str_find(m, '\r') == m.n);
	MUST(str_starts(m, STR("Received:")));
	r->ncommits++;
	r->message = r->store.n;
	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("stored") };
}

static void close_message(void *self)
{
	struct run *r = self;

	MUST(r->open);
	r->open = false;
	r->store.n = r->message;
}

static bool pending(void *self)
{
	(void)self;
	return false;
}

static int64_t now(void *self, int *offset_minutes)
{
	(void)self;
	*offset_minutes = 0;
	return 1000000000;
}

static void refused(void *self, struct str line, struct str reply)
{
	(void)self;
	(void)line;
	MUST(reply.n > 4 && (reply.p[0] == '4' || reply.p[0] == '5'));
}

static bool has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	(void)size_bytes;
	return true;
}

/* Of a local client only, and the first octet of his sender decides. */
static void may_send(void *self, const struct addr *from, struct verdict *v)
{
	(void)self;
	*v = addr_local(from).n == 0 || addr_local(from).p[0] < 'n'
		 ? (struct verdict){ VERDICT_DONE, STR("2.1.0"), STR("") }
		 : (struct verdict){ VERDICT_NEVER, STR("5.7.1"),
			   STR("not yours") };
}

static void flush(struct run *r)
{
	buf_put(&r->out, buf_str(&r->session.out));
	MUST(!r->session.out.full);
	buf_clear(&r->session.out);
}

/* Refused, or done, and then nothing that was said before counts. */
static void answer_starttls(struct run *r)
{
	const struct secured how = { STR("TLSv1.3"),
		STR("TLS_AES_128_GCM_SHA256"), STR(""), STR("") };
	struct session *s = &r->session;
	size_t before = s->out.n;

	MUST(!s->secured && session_input(s, STR("NOOP\r\n")) == 0);
	if (s->junk % 2 == 0) {
		enum session_state state = s->state;

		session_tls_refuse(s);
		MUST(s->state == state || s->phase == SESSION_CLOSED);
		return;
	}
	session_tls_go(s);
	MUST(str_starts(str_skip(buf_str(&s->out), before), STR("220 2.0.0 ")));
	flush(r);
	session_secured(s, &how);
	MUST(s->state == SESSION_START && s->nhelo == 0 && s->nrcpt == 0 &&
	     s->ngiven == 0 && s->mail.from.nlocal == 0 && !r->open &&
	     s->phase == SESSION_COMMAND && s->out.n == 0);
}

/* Hands everything from `from` to `to` in, as a driver does. */
static size_t digest(struct run *r, const char *p, size_t from, size_t to)
{
	size_t used;

	do {
		used = session_input(&r->session, str_at(p + from, to - from));
		MUST(used <= to - from);
		from += used;
		if (r->session.phase == SESSION_TLS)
			answer_starttls(r);
		flush(r);
	} while (used > 0 && r->session.phase != SESSION_CLOSED);
	return from;
}

static void play(struct run *r, bool local, struct str in, size_t cut)
{
	struct session_setup set = {
		.hostname = { "here.example", 12 },
		.origin = { "here.example", 12 },
		.size_limit_bytes = 4096,
		.rcpt_limit = 100,
		.piped = true,
		.starttls = true,
		.local = local,
		.inside = local,
	};
	struct session_host host = { r, lookup, is_local, is_relayed,
		open_message, write_message, commit, close_message, pending,
		now, refused, has_room, may_send };
	size_t from = 0, to = 0;

	r->out = BUF(r->out_text);
	r->store = BUF(r->store_text);
	r->ncommits = 0;
	r->open = false;
	memset(&r->session, 0, offsetof(struct session, rcpt));
	session_init(&r->session, &set, &host);
	flush(r);
	while (to < in.n && r->session.phase != SESSION_CLOSED) {
		to = cut < in.n - to ? to + cut : in.n;
		from = digest(r, in.p, from, to);
	}
	session_end(&r->session);
	MUST(!r->open);
}

static void check_replies(struct str out, unsigned ncommits)
{
	struct str line;
	unsigned stored = 0;

	while (str_cut(&out, '\n', &line)) {
		MUST(
		    line.n >= 5 && line.n <= 511 && line.p[line.n - 1] == '\r');
		MUST(line.p[0] >= '2' && line.p[0] <= '5');
		MUST(line.p[3] == ' ' || line.p[3] == '-');
		stored += str_starts(line, STR("250 2.0.0 stored"));
	}
	MUST(stored == ncommits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_at((const char *)data, size);

	if (size < 1 || size > 65536)
		return 0;
	play(&whole, data[0] > 127, str_skip(in, 1), in.n);
	check_replies(buf_str(&whole.out), whole.ncommits);
	play(&pieces, data[0] > 127, str_skip(in, 1), (size_t)data[0] % 97 + 1);
	MUST(str_eq(buf_str(&whole.out), buf_str(&pieces.out)));
	MUST(str_eq(buf_str(&whole.store), buf_str(&pieces.store)));
	return 0;
}
