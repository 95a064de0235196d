/*
 * libunbound, in this process: a stub that asks the site's resolver and
 * validates what it says itself.  Everything that is no answer, and every
 * answer that fails validation, is "later": the library hands over the data
 * of a bogus answer with success, so that is looked at first.
 *
 * A thread of the library asks, so that a question has an end: a resolver
 * that refuses would hold ub_resolve(3) for seventeen seconds.
 */
#include "sys/unbound.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "mail/resolver.h"
#include "sys/io.h"
#include "sys/log.h"

#ifdef HAVE_UNBOUND
#include <unbound.h>

enum {
	TYPE_TLSA = 52,
	QUESTIONS = 2,             /* at once */
	ANCHOR_OCTETS = 16 * 1024, /* of the file */
	TLSA_LABELS = 16           /* "_65535._tcp." */
};

enum state {
	DNS_CLOSED, /* every question is "later" */
	DNS_UNPROBED,
	DNS_VALIDATES,
	DNS_PLAIN
};

static struct {
	enum state state;
	enum dns_policy policy;
	struct ub_ctx *validating, *plain; /* NULL: not made */
	int64_t spent_ms;                  /* in questions, so far */
} dns;

static void log_library(const char *what, int code)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "dns");
	log_str(&l, "what", str_of(what));
	log_str(&l, "error", str_of(ub_strerror(code)));
	log_end(&l);
}

/* --- questions ----------------------------------------------------------- */

struct unbound unbound_question(const char *label, struct str host, int type)
{
	struct unbound q = { .type = type };
	struct buf b = BUF(q.name);

	buf_putz(&b, label);
	buf_put(&b, host);
	buf_putc(&b, '\0');
	if (b.full) /* no name of the DNS is so long */
		q.error = UB_SYNTAX;
	return q;
}

static void answered(void *of, int error, struct ub_result *result)
{
	struct unbound *q = of;

	q->done = true;
	q->error = error;
	q->result = result;
}

static struct ub_ctx *context(void)
{
	return dns.state == DNS_PLAIN ? dns.plain : dns.validating;
}

/* The thread that the first question starts gets no signal of ours. */
static void start(struct ub_ctx *ctx, struct unbound *q)
{
	sigset_t all, was;

	if (q->error != 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	q->error =
	    ub_resolve_async(ctx, q->name, q->type, 1, q, answered, &q->id);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
}

static bool is_pending(const struct unbound *q)
{
	return q->error == 0 && !q->done;
}

/* What remains of the time for one question and for all of them. */
static int64_t allowance_ms(void)
{
	int64_t left_ms = DNS_DEADLINE_S * 1000 - dns.spent_ms;

	return left_ms < DNS_QUESTION_S * 1000 ? left_ms
					       : DNS_QUESTION_S * 1000;
}

/* Asks n questions at once; those without an answer in time stay pending. */
static void ask(struct ub_ctx *ctx, struct unbound *q, unsigned n)
{
	int64_t began_ms = io_now_ms(), end_ms = began_ms + allowance_ms();
	bool pending = true;

	for (unsigned i = 0; i < n; i++)
		start(ctx, &q[i]);
	while (pending) {
		if (io_wait_read(ub_fd(ctx), end_ms) == -ETIMEDOUT)
			break;
		if (ub_process(ctx) != 0)
			break;
		pending = false;
		for (unsigned i = 0; i < n; i++)
			pending |= is_pending(&q[i]);
	}
	for (unsigned i = 0; i < n; i++)
		if (is_pending(&q[i]))
			ub_cancel(ctx, q[i].id);
	dns.spent_ms += io_now_ms() - began_ms;
}

void unbound_forget(struct unbound *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (q[i].result != NULL)
			ub_resolve_free(q[i].result);
}

/* Why there is no answer, or NULL when there is one. */
static const char *trouble(const struct unbound *q)
{
	const struct ub_result *r = q->result;

	if (q->error != 0)
		return ub_strerror(q->error);
	if (!q->done)
		return "no answer in time";
	if (r == NULL)
		return "no result";
	if (r->bogus)
		return r->why_bogus != NULL ? r->why_bogus : "bogus";
	if (r->rcode == ns_r_servfail)
		return "SERVFAIL";
	if (r->rcode != ns_r_noerror && r->rcode != ns_r_nxdomain)
		return "refused";
	return NULL;
}

static enum dns_answer judge(const struct unbound *q)
{
	const char *why = trouble(q);
	struct log l;

	if (q->error == UB_SYNTAX)
		return DNS_NO_NAME;
	if (why != NULL) {
		log_begin(&l, LOGL_NOTICE, "dns");
		log_str(&l, "name", str_of(q->name));
		log_u64(&l, "type", (uint64_t)q->type);
		log_str(&l, "error", str_of(why));
		log_end(&l);
		return DNS_LATER;
	}
	if (q->result->havedata)
		return DNS_OK;
	return q->result->nxdomain ? DNS_NO_NAME : DNS_NONE;
}

static bool is_secure(const struct unbound *q)
{
	return dns.state == DNS_VALIDATES && q->result != NULL &&
	       q->result->secure && !q->result->bogus;
}

bool unbound_record(const struct unbound *q, unsigned i, struct str *data)
{
	const struct ub_result *r = q->result;

	if (r == NULL || r->data[i] == NULL || r->len[i] < 0)
		return false;
	*data = str_at(r->data[i], (size_t)r->len[i]);
	return true;
}

/* --- the first question: is there validation? ---------------------------- */

static void close_it(const char *why)
{
	log_note(LOGL_WARNING, "dns", why);
	dns.state = DNS_CLOSED;
}

/*
 * The resolver gave an answer that is not signed as the anchor wants, or
 * none.  Only one that answers at all is used without validation.
 */
static void probe_plain(void)
{
	struct unbound q = unbound_question("", STR("."), ns_t_ns);

	ask(dns.plain, &q, 1);
	if (trouble(&q) != NULL)
		close_it("the resolver does not answer");
	else {
		log_note(LOGL_WARNING, "dns",
		    "the resolver hides signatures: no DNSSEC, no DANE");
		dns.state = DNS_PLAIN;
	}
	unbound_forget(&q, 1);
}

static void probe(void)
{
	struct unbound q = unbound_question("", STR("."), ns_t_dnskey);

	ask(dns.validating, &q, 1);
	if (trouble(&q) == NULL && q.result->havedata && q.result->secure)
		dns.state = DNS_VALIDATES;
	else if (!q.done)
		close_it("the resolver does not answer");
	else if (dns.policy == DNS_REQUIRE)
		close_it("the root key was not validated: no mail goes out");
	else
		probe_plain();
	unbound_forget(&q, 1);
}

/* May questions be asked? */
static bool is_open(void)
{
	if (dns.state == DNS_UNPROBED)
		probe();
	return dns.state != DNS_CLOSED && allowance_ms() > 0;
}

void unbound_ask(struct unbound *q, unsigned n)
{
	bool open = is_open();

	if (open)
		ask(context(), q, n);
	for (unsigned i = 0; i < n; i++) {
		q[i].answer = open ? judge(&q[i]) : DNS_LATER;
		q[i].secure = is_secure(&q[i]);
	}
}

struct str unbound_canon(const struct unbound *q)
{
	const struct ub_result *r = q->result;

	return str_of(r != NULL ? r->canonname : NULL);
}

bool unbound_is_validating(void)
{
	return is_open() && dns.state == DNS_VALIDATES;
}

/* --- set-up -------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *option, *value;
} options[] = {
	/* a resolver on this machine is usual */
	{ "do-not-query-localhost:", "no" },
	/* six seconds with a resolver that refuses or is silent, not 17 */
	{ "outbound-msg-retry:", "2" },
	{ "unknown-server-time-limit:", "1000" },
	/* networks of one's own (RFC 6762 G): the root denies that they are,
	 * their resolver does not */
	{ "domain-insecure:", "lan." },
	{ "domain-insecure:", "home." },
	{ "domain-insecure:", "corp." },
	{ "domain-insecure:", "private." },
	{ "domain-insecure:", "intranet." },
	{ "domain-insecure:", "internal." },
	{ "domain-insecure:", "localdomain." },
	{ "domain-insecure:", "home.arpa." },
	{ "domain-insecure:", "test." },
	/* an alias leads no further than it must */
	{ "target-fetch-policy:", "0 0 0 0 0" },
};
/* What the library would answer by itself; a site may well use them. */
static const char *const zones[] = { "test.", "home.arpa." };
static const char *const anchors[] = {
	"/usr/share/dns/root.key",
	"/var/lib/unbound/root.key",
	"/etc/unbound/root.key",
};
/* clang-format on */

static int set_resolver(struct ub_ctx *ctx, const char *resolver)
{
	char text[RESOLVER_TEXT_MAX];
	struct buf b = BUF(text);
	int e;

	if (resolver == NULL)
		e = ub_ctx_resolvconf(ctx, NULL);
	else if (resolver_put(&b, str_of(resolver)) == 0) {
		buf_putc(&b, '\0');
		e = ub_ctx_set_fwd(ctx, text);
	} else {
		log_errno("dns", "resolver", EINVAL);
		return -EINVAL;
	}
	/* resolv.conf(5): without the file it is this machine */
	if (e == UB_READFILE && resolver == NULL)
		e = ub_ctx_set_fwd(ctx, "127.0.0.1");
	if (e == 0)
		return 0;
	log_library("resolver", e);
	return -EINVAL;
}

static int add_anchors(struct ub_ctx *ctx, struct str text)
{
	char room[RESOLVER_ANCHOR_MAX];
	struct buf b = BUF(room);
	unsigned n = 0;
	int e;

	for (; (e = resolver_anchor(&text, &b)) == 0; n++)
		if (ub_ctx_add_ta(ctx, room) != 0)
			return -EINVAL;
	return n > 0 && e == RESOLVER_NO_MORE ? 0 : -EINVAL;
}

static int read_anchors(struct ub_ctx *ctx, const char *path)
{
	static char text[ANCHOR_OCTETS];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	n = n < 0 ? -errno : n == (ssize_t)sizeof(text) ? -EFBIG : n;
	close(fd);
	return n < 0 ? (int)n : add_anchors(ctx, str_at(text, (size_t)n));
}

/* 0, -ENOENT: the distribution has none, or another -errno. */
static int set_anchors(struct ub_ctx *ctx, const char *path)
{
	if (path != NULL) {
		int e = read_anchors(ctx, path);

		if (e != 0)
			log_errno("dns", path, -e);
		return e != 0 ? -EINVAL : 0;
	}
	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++)
		if (read_anchors(ctx, anchors[i]) == 0)
			return 0;
	log_note(LOGL_WARNING, "dns", "no trust anchor: no DNSSEC, no DANE");
	return -ENOENT;
}

/* From here on the library needs no file. */
static int settle(struct ub_ctx *ctx)
{
	int e = 0;

	ub_ctx_debugout(ctx, NULL);
	for (size_t i = 0; e == 0 && i < sizeof(options) / sizeof(options[0]);
	     i++)
		e = ub_ctx_set_option(ctx, options[i].option, options[i].value);
	if (e == 0)
		e = ub_ctx_async(ctx, 1);
	for (size_t i = 0; e == 0 && i < sizeof(zones) / sizeof(zones[0]); i++)
		e = ub_ctx_zone_remove(ctx, zones[i]);
	if (e != 0)
		log_library("settings", e);
	return e != 0 ? -EINVAL : 0;
}

/* *ctx, or NULL with -errno. */
static int make(const struct dns_setup *setup, bool anchor, struct ub_ctx **ctx)
{
	int e;

	*ctx = ub_ctx_create();
	if (*ctx == NULL) {
		log_errno("dns", "libunbound", ENOMEM);
		return -ENOMEM;
	}
	e = set_resolver(*ctx, setup->resolver);
	if (e == 0 && anchor)
		e = set_anchors(*ctx, setup->trust_anchor);
	if (e == 0)
		e = settle(*ctx);
	if (e != 0) {
		ub_ctx_delete(*ctx);
		*ctx = NULL;
	}
	return e;
}

int unbound_start(const struct dns_setup *setup)
{
	int e;

	memset(&dns, 0, sizeof(dns));
	dns.policy = setup->policy;
	if (setup->policy != DNS_REQUIRE) {
		e = make(setup, false, &dns.plain);
		if (e != 0)
			return e;
	}
	dns.state = DNS_PLAIN;
	if (setup->policy == DNS_OFF)
		return 0;
	e = make(setup, true, &dns.validating);
	if (e == 0)
		dns.state = DNS_UNPROBED;
	else if (e == -ENOENT && setup->policy == DNS_AUTO)
		e = 0; /* logged: insecurely, then */
	else
		dns.state = DNS_CLOSED;
	return e;
}

void unbound_end(void)
{
	if (dns.validating != NULL)
		ub_ctx_delete(dns.validating);
	if (dns.plain != NULL)
		ub_ctx_delete(dns.plain);
	memset(&dns, 0, sizeof(dns));
}

#endif
