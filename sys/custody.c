/*
 * Three ways.  What only deliver gets, from somebody who has a queue of his
 * own, leaves no trace here.  What the queue must have is in it first, under
 * lock, before deliver is asked.  What comes from a local program for local
 * users goes to deliver first, and into the queue only with what is left.
 *
 * Whatever fails before 250 is undone, and the client keeps his message.
 */
#include "sys/custody.h"

#include <errno.h>
#include <unistd.h>

#include "mail/content.h"
#include "sys/courier.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/wake.h"

enum way {
	WAY_DELIVER,  /* now or never */
	WAY_LEFTOVER, /* the queue takes what deliver cannot */
	WAY_QUEUE
};

/* A commit: what deliver said so far. */
struct tally {
	struct custody *c;
	const struct session *s;
	struct str rest; /* the content, while it is not in a file */
	enum way way;
	int fault;     /* -errno of the queue's file */
	unsigned next; /* recipients before are marked */
	unsigned nstored, nlater, nlost, nnever;
};

void custody_init(struct custody *c)
{
	c->fd = -1;
	c->nentries = 0;
}

int custody_open(struct custody *c, int64_t now_s)
{
	c->size = 0;
	c->arrival_s = now_s;
	return spool_name(c->name, now_s);
}

static bool is_null(const struct session *s)
{
	return s->mail.from.nlocal == 0 && s->mail.from.host == HOST_NONE;
}

/* A report of success is owed when it has been stored. */
static bool owes(const struct session *s, unsigned i)
{
	return (s->rcpt[i].notify & NOTIFY_SUCCESS) != 0 && !is_null(s);
}

static enum way way_of(const struct session *s)
{
	for (unsigned i = 0; i < s->nrcpt; i++)
		if (s->rcpt[i].route != SESSION_LOCAL || owes(s, i))
			return WAY_QUEUE;
	return session_defers(s) ? WAY_LEFTOVER : WAY_DELIVER;
}

/* --- the file of the queue ----------------------------------------------- */

/* An address literal of ours means only here what it means. */
static void put_address(const struct session *s, unsigned i, struct buf *b)
{
	struct addr a;

	session_rcpt_addr(s, i, &a);
	if (s->rcpt[i].ours && a.host == HOST_LITERAL) {
		a.host = HOST_NONE;
		a.ndomain = 0;
	}
	addr_put(b, &a);
}

static int put_rcpt(struct custody *c, const struct session *s, unsigned i)
{
	char text[ADDR_TEXT_MAX];
	struct buf address = BUF(text);
	struct qfile_rcpt r = { .notify = s->rcpt[i].notify,
		.orcpt = session_rcpt_orcpt(s, i) };

	r.status = s->rcpt[i].route == SESSION_LOCAL ? QFILE_TRIED : QFILE_NEW;
	put_address(s, i, &address);
	r.address = buf_str(&address);
	return entry_rcpt(&c->entry[c->entry_of[i]], &r, &c->at[i]);
}

static char ret_of(enum command_ret ret)
{
	if (ret == RET_NONE)
		return '\0';
	return ret == RET_FULL ? 'F' : 'H';
}

/* The null reverse-path stays what it is. */
static struct str owner_of(const struct session *s, unsigned i)
{
	return is_null(s) ? STR("") : session_rcpt_owner(s, i);
}

/* Of an entry: whom its reports go to. */
struct owner {
	struct str sender;
	bool list; /* not the sender, nor his rewritten address */
	unsigned nrcpt;
};

static int make_entry(struct custody *c, const struct session *s, unsigned k,
    const struct owner *o)
{
	char name[SPOOL_NAME_MAX];
	struct qfile_head h = { .arrival_s = c->arrival_s,
		.next_s = c->arrival_s,
		.submitted = s->set->inside,
		.utf8 = s->mail.smtputf8,
		.requiretls = s->mail.requiretls,
		.ret = o->list ? '\0' : ret_of(s->mail.ret),
		.sender = o->sender,
		.envid = o->list ? STR("") : s->mail.envid,
		.nrcpt = o->nrcpt };
	int rc = k > 0 ? spool_name(name, c->arrival_s) : 0;

	h.body = s->mail.body == BODY_8BITMIME ? QFILE_8BIT : QFILE_7BIT;
	if (rc < 0 || o->nrcpt == 0)
		return rc;
	return entry_open(&c->entry[k], k > 0 ? name : c->name, &h);
}

/* Envelopes first. */
static int make_entries(struct custody *c, const struct session *s)
{
	struct owner o[1 + SESSION_OWNERS_MAX] = { 0 };
	char text[ADDR_TEXT_MAX];
	struct buf from = BUF(text);
	int rc = 0;

	session_from_put(s, &from);
	o[0].sender = buf_str(&from);
	c->nentries = 1;
	for (unsigned i = 0; i < s->nrcpt; i++) {
		struct str owner = owner_of(s, i);
		unsigned k = owner.n > 0;

		while (k > 0 && k < c->nentries && !str_eq(o[k].sender, owner))
			k++;
		if (k > SESSION_OWNERS_MAX) {
			c->nentries = 0;
			return -E2BIG;
		}
		if (k == c->nentries)
			o[c->nentries++] =
			    (struct owner){ owner, !s->rcpt[i].rewritten, 0 };
		c->entry_of[i] = (unsigned char)k;
		o[k].nrcpt++;
	}
	for (unsigned k = 0; k < c->nentries; k++)
		entry_init(&c->entry[k]);
	for (unsigned k = 0; k < c->nentries && rc == 0; k++)
		rc = make_entry(c, s, k, &o[k]);
	for (unsigned i = 0; i < s->nrcpt && rc == 0; i++)
		rc = put_rcpt(c, s, i);
	return rc;
}

/* The first that fails ends it. */
static int each_entry(struct custody *c, int (*work)(struct entry *e))
{
	int rc = 0;

	for (unsigned k = 0; k < c->nentries && rc == 0; k++)
		if (c->entry[k].fd >= 0)
			rc = work(&c->entry[k]);
	return rc;
}

static int write_entries(struct custody *c, struct str content)
{
	int rc = 0;

	for (unsigned k = 0; k < c->nentries && rc == 0; k++)
		if (c->entry[k].fd >= 0)
			rc = entry_write(&c->entry[k], content);
	return rc;
}

static void drop_entries(struct custody *c)
{
	for (unsigned k = 0; k < c->nentries; k++)
		entry_drop(&c->entry[k]);
	c->nentries = 0;
}

/* Only deliver wants it, and by descriptor: nothing can be left. */
static int make_file(struct custody *c)
{
	int fd = spool_create(c->name);

	if (fd < 0)
		return fd;
	(void)spool_forget(c->name);
	c->fd = fd;
	return 0;
}

static bool has_file(const struct custody *c)
{
	return c->fd >= 0 || c->nentries > 0;
}

static int write_content(
    struct custody *c, const struct session *s, enum way way, struct str rest)
{
	int rc = 0;

	if (!has_file(c))
		rc = way == WAY_DELIVER ? make_file(c) : make_entries(c, s);
	if (rc < 0)
		return rc;
	c->size += rest.n;
	if (c->nentries > 0)
		return write_entries(c, rest);
	rc = io_write_file(c->fd, rest);
	if (rc < 0)
		log_errno("spool-write", c->name, -rc);
	return rc;
}

int custody_write(
    struct custody *c, const struct session *s, struct str content)
{
	return write_content(c, s, way_of(s), content);
}

/* --- what deliver says ---------------------------------------------------- */

static enum qfile_status status_of(
    const struct session *s, unsigned i, enum verdict_kind kind, bool lost)
{
	switch (kind) {
	case VERDICT_DONE:
		return owes(s, i) ? QFILE_STORED : QFILE_DONE;
	case VERDICT_NEVER:
		return QFILE_FAILED;
	case VERDICT_LATER:
	case VERDICT_FORWARD:
		return lost ? QFILE_TRIED : QFILE_NEW;
	}
	return QFILE_TRIED;
}

static void mark(
    struct tally *t, unsigned i, const struct verdict *v, bool lost)
{
	bool done = v->kind == VERDICT_DONE;
	enum qfile_status status = status_of(t->s, i, v->kind, lost);

	if (t->fault == 0)
		t->fault = entry_mark(&t->c->entry[0], t->c->at[i], status,
		    done ? STR("") : v->status, done ? STR("") : v->text);
}

/* The first that is not stored brings it into a file of the queue. */
static void begin(struct tally *t, unsigned upto)
{
	static const struct verdict stored = { VERDICT_DONE, { "", 0 },
		{ "", 0 } };

	if (t->fault == 0 && t->c->nentries == 0) {
		t->c->size = 0;
		t->fault = write_content(t->c, t->s, t->way, t->rest);
	}
	for (; t->next < upto && t->fault == 0; t->next++)
		if (t->s->rcpt[t->next].route == SESSION_LOCAL)
			mark(t, t->next, &stored, false);
}

static const char *event_of(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_DONE:
		return CUSTODY_STORED;
	case VERDICT_NEVER:
		return CUSTODY_REFUSED;
	case VERDICT_LATER:
	case VERDICT_FORWARD:
		return CUSTODY_DEFERRED;
	}
	return CUSTODY_DEFERRED;
}

static void take_verdict(
    void *self, unsigned i, const struct verdict *v, bool lost)
{
	struct tally *t = self;

	t->c->tell(t->c->self, i, event_of(v->kind), v);
	if (v->kind == VERDICT_DONE)
		t->nstored++;
	else if (v->kind == VERDICT_NEVER)
		t->nnever++;
	else if (lost)
		t->nlost++;
	else
		t->nlater++;
	if (t->way == WAY_DELIVER)
		return;
	if (v->kind != VERDICT_DONE || t->c->nentries > 0)
		begin(t, i);
	if (t->c->nentries > 0) {
		mark(t, i, v, lost);
		t->next = i + 1;
	}
}

/* To deliver, from where it is. */
static void ask(struct tally *t, struct verdict *v)
{
	struct custody *c = t->c;
	uint64_t prefix = t->s->nprefix;
	struct courier_message m = { .fd = -1,
		.content = str_skip(t->rest, (size_t)prefix) };

	if (c->size > t->rest.n || c->size > courier_content_max()) {
		m.fd = c->fd >= 0 ? c->fd : c->entry[0].fd;
		m.start = c->fd >= 0 ? 0 : c->entry[0].start + prefix;
		m.size = c->size - prefix;
	}
	courier_store(
	    t->s, t->s->set->local ? REQUEST_LOCAL : 0, &m, take_verdict, t, v);
}

/* --- the ways ------------------------------------------------------------ */

static void tell_queued(struct tally *t)
{
	static const struct verdict v = { VERDICT_DONE, { "2.0.0", 5 },
		{ "", 0 } };

	for (unsigned i = 0; i < t->s->nrcpt; i++)
		if (t->s->rcpt[i].route != SESSION_LOCAL)
			t->c->tell(t->c->self, i, CUSTODY_QUEUED, &v);
}

static void fail(struct tally *t, int rc, struct verdict *v)
{
	drop_entries(t->c);
	*v = content_fault(rc);
}

static void keep(struct tally *t, struct verdict *v)
{
	tell_queued(t);
	for (unsigned k = 0; k < t->c->nentries; k++)
		entry_close(&t->c->entry[k]);
	t->c->nentries = 0;
	wake_queue();
	v->kind = VERDICT_DONE;
}

static unsigned nwaiting(const struct session *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nrcpt; i++)
		n += s->rcpt[i].route != SESSION_LOCAL;
	return n;
}

/* In the queue first; then the local ones, under its lock. */
static void queue(struct tally *t, struct verdict *v)
{
	unsigned waiting = nwaiting(t->s);
	int rc = each_entry(t->c, entry_commit);

	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("") };
	if (rc < 0) {
		fail(t, rc, v);
		return;
	}
	if (waiting < t->s->nrcpt) {
		ask(t, v);
		entry_sync(&t->c->entry[0]);
	}
	if (t->nstored + t->nlost == 0 &&
	    ((t->nlater > 0 && !session_defers(t->s)) ||
		(t->nnever > 0 && t->nlater + waiting == 0)))
		drop_entries(t->c);
	else
		keep(t, v);
}

/* To deliver first; into the queue with what is left. */
static void deliver(struct tally *t, struct verdict *v)
{
	int rc;

	ask(t, v);
	rc = t->fault;
	if (rc == 0 && t->nlater + t->nlost == 0 &&
	    (t->nnever == 0 || t->nstored == 0)) {
		drop_entries(t->c);
		return;
	}
	if (rc == 0)
		rc = each_entry(t->c, entry_commit);
	if (rc < 0)
		fail(t, rc, v);
	else
		keep(t, v);
}

void custody_commit(struct custody *c, const struct session *s, struct str rest,
    struct verdict *v)
{
	struct tally t = { .c = c, .s = s, .rest = rest, .way = way_of(s) };
	int rc = 0;

	if (t.way == WAY_QUEUE || has_file(c) || rest.n > courier_content_max())
		rc = write_content(c, s, t.way, rest);
	else
		c->size = rest.n;
	if (rc < 0)
		*v = content_fault(rc);
	else if (t.way == WAY_DELIVER)
		ask(&t, v);
	else if (t.way == WAY_LEFTOVER)
		deliver(&t, v);
	else
		queue(&t, v);
	if (v->kind == VERDICT_DONE) {
		v->status = STR("2.0.0");
		v->text = str_of(c->name);
	}
}

void custody_close(struct custody *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	drop_entries(c);
}
