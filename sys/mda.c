/*
 * The same workers as in the poller, asked one after the other: a lookup
 * worker for the plan, then, locked in, a store worker for the message.
 */
#include "sys/mda.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "mail/addr.h"
#include "mail/postmark.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/lookup.h"
#include "sys/plan.h"
#include "sys/pool.h"

enum {
	BLOCK = 64 * 1024,
	ANSWER_MS = 300 * 1000,
	RECORD_MAX = PLAN_MAX + REQUEST_MAX
};

struct mda {
	struct reload *conf;
	struct store *store;
	struct worker look;
	struct addr to, from;
	bool null_sender;
	int content;
	uint64_t size;
};

static int complain(int code, const char *what, const char *why)
{
	fprintf(stderr, "deliver: %s: %s\n", what, why);
	return code;
}

/* --- the message -------------------------------------------------------- */

static int keep(struct mda *m, struct str s)
{
	int rc = io_write_file(m->content, s);

	m->size += s.n;
	if (rc < 0)
		return complain(EX_TEMPFAIL, "the message", strerror(-rc));
	if (m->size > m->conf->now->message_size_limit)
		return complain(EX_UNAVAILABLE, "the message",
		    "larger than message-size-limit");
	return 0;
}

/* Standard input into a file of ours, which a store worker may read. */
static int read_message(struct mda *m)
{
	static char block[BLOCK];
	struct postmark mark = { 0 };
	struct str held, rest;
	ssize_t n;
	int rc = 0;

	m->content = memfd_create("message", MFD_CLOEXEC);
	if (m->content < 0)
		return complain(EX_TEMPFAIL, "memfd_create", strerror(errno));
	while (rc == 0 && (n = read(0, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return complain(
			    EX_TEMPFAIL, "standard input", strerror(errno));
		rest = postmark_skip(&mark, str_at(block, (size_t)n), &held);
		rc = keep(m, held);
		if (rc == 0)
			rc = keep(m, rest);
	}
	return rc == 0 ? keep(m, postmark_finish(&mark)) : rc;
}

/* --- workers ------------------------------------------------------------ */

static void serve_lookup(int sock, const void *arg)
{
	const struct mda *m = arg;

	if (identity_disarm() == 0)
		lookup_serve(sock, m->conf->path, m->store->self);
}

static void serve_store(int sock, const void *arg)
{
	store_serve(sock, arg);
}

static void serve_home(int sock, const void *arg)
{
	const struct store *s = arg;

	home_serve(sock, s->self, s->minimum_uid);
}

static int hear(int fd, struct buf *answer)
{
	int64_t by = io_now_ms() + ANSWER_MS;
	int passed, rc;
	ssize_t n;

	do
		rc = io_wait_read(fd, by);
	while (rc == -EINTR);
	if (rc < 0)
		return rc;
	n = io_recv_record(fd, answer, &passed, 0);
	if (n == -ENOMEM) /* what it says may have been done */
		n = io_recv_record(fd, answer, &passed, 0);
	if (passed >= 0)
		close(passed);
	return n > 0 ? 0 : -EPIPE;
}

static int ask(int fd, struct buf *question, int passed, struct buf *answer)
{
	int rc = question->full ? -EMSGSIZE
				: io_send_record(fd, buf_str(question), passed);

	return rc < 0 ? rc : hear(fd, answer);
}

/* The caller's address, when he gives no other. */
static int find_sender(struct mda *m, uid_t caller)
{
	char text[REQUEST_MAX], heard[REQUEST_MAX];
	struct buf q = BUF(text), a = BUF(heard);
	struct buf local = BUF(m->from.local), domain = BUF(m->from.domain);
	struct request r;
	int rc;

	request_begin(&q, 'U');
	buf_u64(&q, caller);
	buf_putc(&q, '\0');
	rc = ask(m->look.fd, &q, -1, &a);
	if (rc < 0)
		return rc;
	if (request_answer(buf_str(&a), 'u', 1, &r) != 0)
		return -EBADMSG;
	buf_put(&local, r.field[0]);
	buf_put(&domain, m->conf->now->origin);
	m->null_sender = r.field[0].n == 0 || local.full || domain.full;
	m->from.host = HOST_NAME;
	m->from.nlocal = (unsigned char)local.n;
	m->from.ndomain = (unsigned char)domain.n;
	return 0;
}

/* What the lookup worker asks back, to a worker that may look. */
static int look(struct mda *m, struct buf *question, struct buf *answer)
{
	struct worker w;
	int rc = pool_fork(&w, serve_home, m->store);

	if (rc < 0)
		return rc;
	rc = ask(w.fd, question, -1, answer);
	pool_release(&w);
	return rc;
}

static int find_plan(struct mda *m, struct buf *answer)
{
	static char text[RECORD_MAX], home[REQUEST_WHOLE_MAX];
	struct buf q = BUF(text), found = BUF(home);
	int rc;

	request_begin(&q, 'L');
	request_field(&q, STR("0"));
	request_field(&q, addr_local(&m->to));
	request_field(&q, addr_domain(&m->to));
	request_field(&q, STR("")); /* nothing goes to another host from here */
	rc = ask(m->look.fd, &q, -1, answer);
	while (rc == 0 && answer->n > 0 && answer->p[0] == 'n') {
		buf_clear(&q);
		buf_put(&q, buf_str(answer));
		rc = look(m, &q, &found);
		if (rc == 0)
			rc = ask(m->look.fd, &found, -1, answer);
	}
	return rc;
}

/* R and S to a new store worker, and its verdict. */
static int store(struct mda *m, struct str plan, struct buf *answer)
{
	static char text[RECORD_MAX];
	char address[ADDR_TEXT_MAX], sender[ADDR_TEXT_MAX];
	struct buf q = BUF(text), to = BUF(address), from = BUF(sender);
	struct worker w;
	int rc = pool_fork(&w, serve_store, m->store);

	if (rc < 0)
		return rc;
	addr_put(&to, &m->to);
	if (!m->null_sender)
		addr_put(&from, &m->from);
	request_begin(&q, 'R');
	request_field(&q, buf_str(&to));
	buf_put(&q, plan);
	rc = q.full ? -EMSGSIZE : io_send_record(w.fd, buf_str(&q), -1);
	request_begin(&q, 'S');
	buf_u64(&q, m->store->self->uid);
	buf_putc(&q, '\0');
	request_field(&q, STR("0"));
	buf_u64(&q, m->size);
	buf_putc(&q, '\0');
	request_field(&q, buf_str(&from));
	if (rc == 0)
		rc = ask(w.fd, &q, m->content, answer);
	if (rc == 0 && str_eq(buf_str(answer), STR("f")))
		rc = hear(w.fd, answer); /* no plan is kept here */
	pool_release(&w);
	return rc;
}

/* --- the whole ---------------------------------------------------------- */

static int exit_code(const struct verdict *v)
{
	if (v->kind == VERDICT_DONE)
		return EX_OK;
	fprintf(stderr, "deliver: %.*s %.*s\n", (int)v->status.n, v->status.p,
	    (int)v->text.n, v->text.p);
	if (v->kind != VERDICT_NEVER)
		return EX_TEMPFAIL;
	return str_eq(v->status, STR("5.1.1")) ? EX_NOUSER : EX_UNAVAILABLE;
}

static int parse_addresses(struct mda *m, const char *sender, const char *user)
{
	struct str to = str_of(user), from = str_of(sender);

	if (addr_mailbox(to, ADDR_BARE_OK | ADDR_UTF8_OK, &m->to) != 0)
		return complain(EX_USAGE, user, "not a user or an address");
	m->null_sender = sender && (from.n == 0 || str_eq(from, STR("<>")));
	if (sender && !m->null_sender &&
	    addr_mailbox(from, ADDR_BARE_OK | ADDR_UTF8_OK, &m->from) != 0)
		return complain(EX_USAGE, sender, "not an address");
	return 0;
}

static int work(struct mda *m, const char *sender, uid_t caller)
{
	static char planned[PLAN_MAX], heard[REQUEST_MAX];
	struct buf plan = BUF(planned), answer = BUF(heard);
	struct plan p;
	struct request r;
	struct verdict v;
	int rc = pool_fork(&m->look, serve_lookup, m);

	if (rc == 0)
		rc = store_lock_in(m->store);
	if (rc == 0 && !sender)
		rc = find_sender(m, caller);
	if (rc == 0)
		rc = find_plan(m, &plan);
	if (rc < 0)
		return complain(EX_TEMPFAIL, "looking up", strerror(-rc));
	if (plan.n < 2 || plan_get(str_skip(buf_str(&plan), 1), &p) != 0)
		return complain(EX_TEMPFAIL, "looking up", "no answer");
	if (p.verdict.kind != VERDICT_DONE)
		return exit_code(&p.verdict);
	rc = store(m, str_skip(buf_str(&plan), 1), &answer);
	if (rc == 0 && (request_answer(buf_str(&answer), 's', 3, &r) != 0 ||
			   verdict_get(&r, &v) != 0))
		rc = -EBADMSG;
	if (rc < 0)
		return complain(EX_TEMPFAIL, "storing", strerror(-rc));
	return exit_code(&v);
}

int mda_deliver(struct reload *conf, struct store *s, const char *sender,
    uid_t caller, const char *user)
{
	struct mda m = { .conf = conf, .store = s, .content = -1 };
	int rc;

	/* Whoever calls hears of trouble only. */
	log_limit(LOGL_WARNING);
	rc = parse_addresses(&m, sender, user);

	if (rc != 0)
		return rc;
	(void)reload_check(conf);
	/* Not EX_CONFIG: the caller would return the mail to its sender. */
	if (!conf->now)
		return complain(EX_TEMPFAIL, conf_path(conf->path),
		    "the configuration is broken");
	s->hostname = conf->now->hostname;
	s->run_directory = conf->now->run_directory;
	s->minimum_uid = conf->now->minimum_uid;
	rc = read_message(&m);
	if (rc == 0)
		rc = work(&m, sender, caller);
	return rc;
}
