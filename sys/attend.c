/*
 * What smtpd asks, one request of a connection after the other.  A request
 * is checked again octet by octet; whatever the table of mail/request.c does
 * not allow ends that connection, and no other.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/addr.h"
#include "sys/cache.h"
#include "sys/io.h"
#include "sys/job.h"
#include "sys/poller.h"

enum {
	TURNS = 64, /* requests in a row before others have theirs */
	/* Octets that smtpd puts before a message; it makes one line. */
	SIZE_MARGIN = 64 * 1024
};

static const struct verdict busy = { VERDICT_LATER, { "4.3.2", 5 },
	{ "too busy, try again later", 25 } };
static const struct verdict failed = { VERDICT_LATER, { "4.3.0", 5 },
	{ "temporary failure, try again later", 34 } };

static void ready(struct poller *p, unsigned c)
{
	struct conn *k = &p->conn[c];

	k->state = CONN_READY;
	poller_watch(p, WHAT_CONN, c, k->turn, k->fd, EPOLLIN, &k->events);
}

/* One answer to one request: there is room, or the peer does not listen. */
static void reply(struct poller *p, unsigned c, struct str record)
{
	if (io_send_record(p->conn[c].fd, record, -1) < 0)
		poller_end(p, c, "does not take its answers");
	else
		ready(p, c);
}

/* To L, or to A: whoever he is. */
static void reply_verdict(
    struct poller *p, unsigned c, char letter, const struct verdict *v)
{
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	request_begin(&b, letter == 'A' ? 'a' : 'l');
	verdict_put(&b, v);
	if (letter == 'A')
		request_field(&b, STR(""));
	reply(p, c, buf_str(&b));
}

/* S or M for recipients that no worker has: "later" for each, as they go
 * out. */
static void refuse(struct poller *p, unsigned c)
{
	struct conn *k = &p->conn[c];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);
	int rc = 0;

	request_begin(&b, 's');
	verdict_put(&b, &busy);
	while (k->nanswered < k->nrcpt && rc == 0) {
		rc = io_send_record(k->fd, buf_str(&b), -1);
		k->nanswered += rc == 0;
	}
	if (rc == -EAGAIN) {
		k->state = CONN_REFUSE;
		poller_watch(
		    p, WHAT_CONN, c, k->turn, k->fd, EPOLLOUT, &k->events);
	} else if (rc < 0) {
		poller_end(p, c, NULL);
	} else {
		k->nrcpt = k->nanswered = 0;
		k->refused = false;
		ready(p, c);
	}
}

/* The worker is gone; what it owed is refused. */
void attend_lost(struct poller *p, unsigned c)
{
	struct conn *k = &p->conn[c];
	bool owes = k->state == CONN_STORE;

	k->storer = -1;
	k->refused = true;
	if (owes)
		refuse(p, c);
	else if (k->state == CONN_FLUSH)
		ready(p, c);
}

/* All verdicts of a message are out. */
void attend_done(struct poller *p, unsigned c)
{
	struct conn *k = &p->conn[c];

	k->nrcpt = k->nanswered = 0;
	ready(p, c);
}

void attend_flushed(struct poller *p, unsigned c)
{
	if (p->conn[c].state == CONN_FLUSH)
		ready(p, c);
}

/* A recipient with its plan for the worker. */
static void pass_rcpt(
    struct poller *p, unsigned c, struct str address, struct str plan)
{
	static char text[POLLER_RECORD];
	struct conn *k = &p->conn[c];
	struct buf b = BUF(text);
	int rc;

	if (k->refused) {
		ready(p, c);
		return;
	}
	request_begin(&b, 'R');
	request_field(&b, address);
	buf_put(&b, plan);
	rc = storer_pass(p, c, buf_str(&b), -1);
	if (rc == STORER_HELD)
		k->state = CONN_FLUSH;
	else
		ready(p, c); /* also when the worker has just gone */
}

static void pass_verdict(
    struct poller *p, unsigned c, struct str address, const struct verdict *v)
{
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	plan_put(&b, v, false);
	pass_rcpt(p, c, address, buf_str(&b));
}

/* Nobody can look: that is the answer. */
static void use_verdict(struct poller *p, unsigned c, const struct request *r,
    const struct verdict *v)
{
	if (r->letter == 'U')
		reply(p, c, str_at("u", 2));
	else if (r->letter == 'R')
		pass_verdict(p, c, r->field[3], v);
	else
		reply_verdict(p, c, r->letter, v);
}

/* For L: where else it leads, before the verdict. */
static bool tell_forwards(
    const struct poller *p, unsigned c, const struct plan *plan)
{
	static char text[REQUEST_MAX + REQUEST_FORWARDS_MAX];
	struct buf b = BUF(text);

	request_begin(&b, 'g');
	request_field(&b, plan->boxes.n > 0 ? STR("1") : STR("0"));
	request_field(&b, plan->sender);
	buf_put(&b, plan->forwards);
	return io_send_record(p->conn[c].fd, buf_str(&b), -1) == 0;
}

/*
 * For R: smtpd has queued for the very addresses that it leads to now, and
 * what is left are mailboxes.
 */
static bool are_queued(const struct request *r, const struct plan *plan)
{
	uint64_t flags = 0;

	return str_u64(r->field[0], &flags) == 0 &&
	       (flags & REQUEST_FORWARDED) != 0 &&
	       flags >> REQUEST_SUM_SHIFT == request_sum(plan->forwards);
}

static void pass_boxes(
    struct poller *p, unsigned c, struct str address, struct str boxes)
{
	static const struct verdict good = { VERDICT_DONE, { "2.1.5", 5 },
		{ "good", 4 } };
	static char text[PLAN_MAX];
	struct buf b = BUF(text);

	plan_put(&b, &good, false);
	buf_put(&b, boxes);
	pass_rcpt(p, c, address, buf_str(&b));
}

/* The plan that was known, or found, for L or R. */
static void use_plan(
    struct poller *p, unsigned c, const struct request *r, struct str plan)
{
	bool lookup = r->letter != 'R', forward;
	struct plan parsed;

	if (plan_get(plan, &parsed) != 0) {
		use_verdict(p, c, r, &failed);
		return;
	}
	forward = parsed.verdict.kind == VERDICT_FORWARD;
	if (lookup && forward && !tell_forwards(p, c, &parsed))
		poller_end(p, c, "does not take its answers");
	else if (lookup)
		reply_verdict(p, c, r->letter, &parsed.verdict);
	else if (!forward)
		pass_rcpt(p, c, r->field[3], plan);
	else if (parsed.boxes.n > 0 && are_queued(r, &parsed))
		pass_boxes(p, c, r->field[3], parsed.boxes);
	else
		pass_verdict(p, c, r->field[3], &parsed.verdict);
}

/* About a user of ours, not a recipient. */
static bool is_about_user(char letter)
{
	return letter == 'U' || letter == 'A';
}

void attend_answer(
    struct poller *p, unsigned c, struct str question, struct str answer)
{
	struct request r, told;

	if (request_parse(question, &r) != 0)
		return;
	if (answer.n < 2)
		use_verdict(p, c, &r, &failed);
	else if (!is_about_user(r.letter))
		use_plan(p, c, &r, str_skip(answer, 1));
	else if (request_answer(answer, r.letter == 'U' ? 'u' : 'a',
		     r.letter == 'U' ? 1 : 4, &told) == 0)
		reply(p, c, answer);
	else
		use_verdict(p, c, &r, &failed);
}

/*
 * Does what U, A, L or R asks for, as far as workers are to be had.  False when
 * it would have to wait for one; with `last`, it is refused instead.
 */
static bool serve(struct poller *p, unsigned c, const struct request *r,
    struct str record, bool last)
{
	struct conn *k = &p->conn[c];
	struct str plan;
	bool fresh;

	poller_refresh(p);
	if (r->letter == 'R' && !k->refused && k->storer < 0 &&
	    storer_bind(p, c) < 0) {
		if (!last)
			return false;
		k->refused = true;
	}
	if (r->letter == 'R' && k->refused) {
		ready(p, c);
		return true;
	}
	fresh = cache_get(r, p->now_ms, false, &plan);
	if (!fresh && looker_ask(p, c, record) == 0)
		k->state = CONN_LOOKUP;
	else if (fresh || cache_get(r, p->now_ms, true, &plan))
		use_plan(p, c, r, plan);
	else if (last)
		use_verdict(p, c, r, &busy);
	else
		return false;
	return true;
}

/* Nobody this request needs will be free soon: waiting would only hide it. */
static bool is_hopeless(const struct poller *p, char letter)
{
	return looker_stuck(p) || (letter == 'R' && storer_stuck(p));
}

/* Waits in line, unless nobody moves. */
static void stand_in_line(
    struct poller *p, unsigned c, const struct request *r, struct str record)
{
	struct buf b = BUF(p->waiting[c]);

	/* Its end is reached only by those who have gone meanwhile. */
	if (p->nline == POLLER_CONNS || is_hopeless(p, r->letter)) {
		(void)serve(p, c, r, record, true);
		return;
	}
	buf_put(&b, record);
	p->line[p->nline++] =
	    (struct waiting){ c, p->conn[c].turn, p->now_ms, b.n };
	p->conn[c].state = CONN_LINE;
}

/* One in line tries again; false when there is no worker for him yet. */
static bool try_again(struct poller *p, const struct waiting *w)
{
	struct str record = str_at(p->waiting[w->conn], w->n);
	bool last = is_hopeless(p, record.p[0]) ||
		    p->now_ms - w->since_ms >= POLLER_LINE_MS;
	struct request r;

	return request_parse(record, &r) != 0 ||
	       serve(p, w->conn, &r, record, last);
}

/*
 * Whoever stands in line tries again, the first who came first; the others
 * close up.  When there is no store worker for one there is none for those
 * behind him either.
 */
void attend_line(struct poller *p)
{
	unsigned n = p->nline, kept = 0;
	bool none = false;

	p->nline = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct waiting *w = &p->line[i];
		const struct conn *k = &p->conn[w->conn];
		bool store = p->waiting[w->conn][0] == 'R';

		if (k->turn != w->turn || k->state != CONN_LINE)
			continue;
		if (!(store && none) && try_again(p, w))
			continue;
		none = none || store;
		p->line[kept++] = *w;
	}
	p->nline = kept;
}

static bool is_text(struct str s, size_t max)
{
	if (s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* No message is larger, whoever sends it. */
static uint64_t size_max(const struct poller *p)
{
	return p->conf->now ? p->conf->now->message_size_limit + SIZE_MARGIN
			    : INT64_MAX;
}

/* Fields as smtpd makes them; it may be that it is no longer smtpd. */
static bool is_sane(const struct poller *p, const struct request *r)
{
	uint64_t n, most = REQUEST_LOCAL;

	switch (r->letter) {
	case 'U':
		return str_u64(r->field[0], &n) == 0 && n <= UINT32_MAX;
	case 'A':
		return str_u64(r->field[0], &n) == 0 && n <= UINT32_MAX &&
		       is_text(r->field[1], ADDR_TEXT_MAX);
	case 'S':
		return str_u64(r->field[0], &n) == 0 && n <= INT64_MAX &&
		       str_u64(r->field[1], &n) == 0 && n <= size_max(p) &&
		       is_text(r->field[2], ADDR_TEXT_MAX);
	case 'M':
		return is_text(r->field[0], ADDR_TEXT_MAX);
	case 'R':
		if (!is_text(r->field[3], ADDR_TEXT_MAX))
			return false;
		most |= REQUEST_FORWARDED | (uint64_t)REQUEST_SUM_MASK
						<< REQUEST_SUM_SHIFT;
		break;
	default:
		if (!is_text(r->field[3], ADDR_TEXT_MAX))
			return false;
		most |= REQUEST_RELAY;
		break;
	}
	return str_u64(r->field[0], &n) == 0 && (n & ~most) == 0 &&
	       r->field[1].n <= LOCAL_MAX &&
	       str_find(r->field[1], '\n') == r->field[1].n &&
	       str_find(r->field[1], '\r') == r->field[1].n &&
	       is_text(r->field[2], DOMAIN_MAX) &&
	       str_find(r->field[2], '/') == r->field[2].n;
}

/* S or M: the message goes to the worker that has its recipients. */
static void hand_over(struct poller *p, unsigned c, const struct request *r,
    struct str record, int fd)
{
	struct conn *k = &p->conn[c];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	if (k->refused || k->storer < 0) {
		if (fd >= 0)
			close(fd);
		refuse(p, c);
		return;
	}
	k->state = CONN_STORE;
	k->nanswered = 0;
	if (r->letter == 'M') {
		(void)storer_pass(p, c, record, -1);
		return;
	}
	request_begin(&b, 'S');
	buf_u64(&b, k->uid);
	buf_putc(&b, '\0');
	request_field(&b, r->field[0]);
	request_field(&b, r->field[1]);
	request_field(&b, r->field[2]);
	(void)storer_pass(p, c, buf_str(&b), fd);
}

/* Checks and starts one request; NULL, or what is wrong with it. */
static const char *take(struct poller *p, unsigned c, struct str record, int fd)
{
	struct conn *k = &p->conn[c];
	struct request r;

	k->asked = true;
	if (request_parse(record, &r) != 0)
		return "a record that is not understood";
	if (r.rule->fd != (fd >= 0))
		return "a descriptor too many or too few";
	if (k->nrcpt > 0 ? !r.rule->open : !r.rule->idle)
		return "a request out of order";
	if (!is_sane(p, &r))
		return "a field that is not allowed";
	if (r.letter == 'S' || r.letter == 'M') {
		hand_over(p, c, &r, record, fd);
		return NULL;
	}
	if (r.letter == 'R' && k->nrcpt++ == JOB_RCPTS)
		return "too many recipients";
	if (!serve(p, c, &r, record, false))
		stand_in_line(p, c, &r, record);
	return NULL;
}

void attend_readable(struct poller *p, unsigned c)
{
	static char text[REQUEST_WHOLE_MAX];
	struct conn *k = &p->conn[c];
	uint32_t turn = k->turn;

	for (unsigned i = 0; i < TURNS; i++) {
		struct buf b = BUF(text);
		const char *why;
		bool answered;
		ssize_t n;
		int fd;

		n = io_recv_record(k->fd, &b, &fd, MSG_DONTWAIT);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			poller_end(p, c,
			    n == 0           ? NULL
			    : n == -EMSGSIZE ? "a record that is too long"
					     : "an error of its socket");
			return;
		}
		answered = text[0] != 'R';
		why = take(p, c, buf_str(&b), fd);
		if (why) {
			if (fd >= 0)
				close(fd);
			poller_end(p, c, why);
			return;
		}
		if (answered || k->turn != turn || k->state != CONN_READY)
			return;
	}
}

void attend_writable(struct poller *p, unsigned c)
{
	if (p->conn[c].state == CONN_REFUSE)
		refuse(p, c);
	else if (p->conn[c].state == CONN_STORE)
		storer_resume(p, c);
}
