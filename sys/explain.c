/*
 * The explanation.  A local name is expanded by the code of deliver, whose
 * steps are printed as they are made; an address elsewhere has its next hops
 * from the code of the queue, and queue itself is asked what needs the DNS.
 */
#include "sys/explain.h"

#include <stdio.h>
#include <sysexits.h>

#include "mail/addr.h"
#include "mail/escape.h"
#include "sys/asking.h"
#include "sys/beside.h"
#include "sys/enquiry.h"
#include "sys/hearsay.h"
#include "sys/log.h"
#include "sys/recipients.h"
#include "sys/route.h"

enum {
	KEYS_MAX = 32,   /* destinations that are told of once */
	ASKING_S = 60,   /* queue, about one destination */
	LINE_MAX_ = 2048 /* of output */
};

static struct {
	const struct explain *e;
	struct enquiry *enquiry;
	bool never, later; /* of the destinations elsewhere */
	unsigned nkeys;
	char key[KEYS_MAX][ROUTE_KEY_MAX];
	size_t nkey[KEYS_MAX];
} x;

static void print(unsigned depth, const struct buf *b)
{
	printf("%*s%.*s\n", (int)depth * 2, "", (int)b->n, b->p);
}

static void print_text(unsigned depth, const char *text)
{
	printf("%*s%s\n", (int)depth * 2, "", text);
}

/* What deliver and queue would log; the level is not for people. */
static bool print_log(struct str line)
{
	struct buf b = { .cap = 0 };

	line = str_skip(line, str_find(line, '>') + 1);
	b.p = (char *)(uintptr_t)line.p;
	b.n = line.n;
	printf("    log: ");
	print(0, &b);
	return true;
}

/* --- the expansion ------------------------------------------------------- */

static void put_line_of(struct buf *b, struct str view)
{
	const struct buf *file = &x.enquiry->x.aliases.b;
	uint64_t line = 1;

	for (const char *p = file->p; p < view.p; p++)
		line += *p == '\n';
	buf_putz(b, x.e->conf->aliases);
	buf_putc(b, ':');
	buf_u64(b, line);
}

static void put_box(struct buf *b, const struct box *box)
{
	static const char *const kinds[] = {
		[BOX_MAILDIR] = "maildir ",
		[BOX_WALKED] = "maildir ",
		[BOX_MBOX] = "mbox ",
		[BOX_LMTP] = "lmtp ",
		[BOX_COMMAND] = "command ",
	};

	escape_put(b, box->user, true);
	buf_putz(b, ": ");
	buf_putz(b, kinds[box->kind]);
	escape_put(b, box->path, true);
	if (box->kind != BOX_LMTP && box->kind != BOX_COMMAND) {
		buf_putz(b, ", as uid ");
		buf_u64(b, box->uid);
	}
	if (box->home.n > 0) {
		buf_putz(b, ", unless ");
		escape_put(b, box->home, true);
		buf_putz(b, "/.forward says otherwise");
	}
	if (box->owner.n > 0) {
		buf_putz(b, ", reverse-path ");
		escape_put(b, box->owner, true);
	}
}

static void put_alias(struct buf *b, const struct expand_step *step)
{
	if (str_eq(step->what, STR("*")))
		buf_putz(b, "the catch-all");
	else
		buf_putz(b, "alias ");
	if (!str_eq(step->what, STR("*")))
		escape_put(b, step->what, true);
	buf_putz(b, " (");
	put_line_of(b, step->more);
	buf_putz(b, ") leads to");
}

static void told(void *arg, const struct expand_step *step)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	(void)arg;
	switch (step->event) {
	case EXPAND_ALIAS:
		put_alias(&b, step);
		break;
	case EXPAND_BOX:
		put_box(&b, step->box);
		break;
	case EXPAND_INCLUDE:
		buf_putz(&b, "the list ");
		escape_put(&b, step->what, true);
		break;
	case EXPAND_HOME:
		escape_put(&b, step->what, true);
		buf_putz(&b, ": ");
		escape_put(&b, step->more, true);
		buf_putz(&b, "/.forward leads to");
		break;
	case EXPAND_FORWARD:
		escape_put(&b, step->what, true);
		buf_putz(&b, ": of another host");
		if (x.e->conf->srs && step->more.n == 0)
			buf_putz(&b, ", a foreign sender is rewritten (SRS)");
		break;
	case EXPAND_SYSTEM:
		escape_put(&b, step->what, true);
		buf_putz(&b,
		    ": an account of the system; root answers for what local "
		    "programs send it");
		break;
	case EXPAND_POSTMASTER:
		buf_putz(&b, "postmaster is root");
		break;
	case EXPAND_SKIP:
		escape_put(&b, step->what, true);
		buf_putz(&b, ": nobody, left out");
		break;
	case EXPAND_FAULT:
		escape_put(&b, step->what, true);
		buf_putz(&b, ": not now: ");
		escape_put(&b, step->more, true);
		break;
	}
	print(step->depth + 1, &b);
}

/* --- elsewhere ----------------------------------------------------------- */

static void put_hops(const struct carrier *c)
{
	for (unsigned i = 0; i < c->nhops; i++) {
		char text[HOP_TEXT_MAX + 32];
		struct buf b = BUF(text);

		buf_putz(&b, i == 0 ? "first " : "else ");
		hop_put(&b, &c->hop[i]);
		print(1, &b);
	}
}

static void hear(void *arg, struct str line)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);
	struct hearsay h;

	(void)arg;
	if (!hearsay_parse(line, &h))
		return;
	if (str_eq(h.field[0], STR("way"))) {
		hearsay_put_host(&b, &h);
		buf_putz(&b, ": ");
		hearsay_put_level(&b, &h);
	} else if (str_eq(h.field[0], STR("none"))) {
		bool never = str_eq(h.field[1], STR("never"));

		x.never |= never;
		x.later |= !never;
		buf_putz(&b, never ? "cannot be sent: " : "not now: ");
		buf_put(&b, h.field[2]);
		buf_putc(&b, ' ');
		buf_put(&b, h.field[3]);
	} else if (str_eq(h.field[0], STR("dns"))) {
		buf_putz(&b, "DNS answers are ");
		buf_putz(&b, str_eq(h.field[1], STR("validating"))
				 ? "validated (DNSSEC)"
				 : "not validated (no DNSSEC): no DANE");
	} else {
		return;
	}
	print(1, &b);
}

/* What needs the DNS, queue knows. */
static void ask_queue(struct str address)
{
	char path[4096], text[ADDR_TEXT_MAX + 1];
	struct buf b = BUF(text), program = BUF(path);
	const char *argv[8] = { path };
	unsigned n = 1;
	int rc = beside_find("queue", &program);

	buf_put(&b, address);
	buf_putc(&b, '\0');
	if (x.e->conf_path) {
		argv[n++] = "-C";
		argv[n++] = x.e->conf_path;
	}
	argv[n++] = "-t";
	argv[n++] = text;
	if (rc == 0 && !b.full)
		rc = asking_run(path, argv, ASKING_S, hear, NULL);
	if (rc == 0)
		return;
	x.later = true;
	print_text(1, rc == EX_NOPERM
			  ? "the rest is known to root and _postern-queue alone"
			  : "queue, which knows the rest, could not be asked");
}

static bool is_known(struct str key)
{
	for (unsigned i = 0; i < x.nkeys; i++)
		if (str_eq(str_at(x.key[i], x.nkey[i]), key))
			return true;
	if (x.nkeys < KEYS_MAX) {
		struct buf b = BUF(x.key[x.nkeys]);

		buf_put(&b, key);
		x.nkey[x.nkeys++] = b.n;
	}
	return false;
}

/* Whose mail for this address takes a way of its own. */
static void explain_senders(struct str address)
{
	const struct conf_senders *all = &x.e->conf->senders;
	char room[ROUTE_KEY_MAX], path[HOP_PATH_MAX], text[LINE_MAX_];

	for (unsigned i = 0; i < all->n; i++) {
		struct buf key = BUF(room), p = BUF(path), b = BUF(text);
		struct carrier c;

		if (route_key(x.e->conf, all->v[i].sender, address, &key) !=
			0 ||
		    is_known(buf_str(&key)))
			continue;
		escape_put(&b, all->v[i].sender, true);
		buf_putz(&b, ": mail of this sender goes to");
		print(0, &b);
		route_carrier(x.e->conf, buf_str(&key), &p, &c);
		put_hops(&c);
	}
}

static void explain_hops(struct str address)
{
	char room[ROUTE_KEY_MAX], path[HOP_PATH_MAX], text[LINE_MAX_];
	struct buf key = BUF(room), p = BUF(path), b = BUF(text);
	struct carrier c;

	escape_put(&b, address, true);
	if (route_key(x.e->conf, STR(""), address, &key) != 0) {
		buf_putz(&b, ": not an address that mail can be sent to");
		x.never = true;
		print(0, &b);
		return;
	}
	route_carrier(x.e->conf, buf_str(&key), &p, &c);
	buf_putz(&b, room[0] == 'S'   ? " goes to the smarthost"
		     : room[0] == 'R' ? " goes by the route of "
		     : room[0] == 'L' ? " comes back to this host"
				      : " goes to the hosts of ");
	if (room[0] == 'R' || room[0] == 'D')
		buf_put(&b, route_name(buf_str(&key)));
	if (is_known(buf_str(&key))) {
		buf_putz(&b, ", as above");
		print(0, &b);
		return;
	}
	print(0, &b);
	if (c.nhops > 0)
		put_hops(&c);
	if (!x.e->offline)
		ask_queue(address);
	if (room[0] == 'S' || room[0] == 'D')
		explain_senders(address);
}

/* --- the answers --------------------------------------------------------- */

static const char *fate_of(const struct verdict *v)
{
	switch (v->kind) {
	case VERDICT_DONE:
	case VERDICT_FORWARD:
		return "accepted";
	case VERDICT_LATER:
		return "put off: ";
	case VERDICT_NEVER:
		break;
	}
	return "refused: ";
}

static void print_verdict(const char *who, const struct verdict *v)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	buf_putz(&b, who);
	buf_putz(&b, fate_of(v));
	if (v->kind == VERDICT_LATER || v->kind == VERDICT_NEVER) {
		buf_put(&b, v->status);
		buf_putc(&b, ' ');
		escape_put(&b, v->text, true);
	}
	print(0, &b);
}

static bool ignore(struct str line)
{
	(void)line;
	return true;
}

/* What others hear, who are not local programs. */
static void explain_strangers(const struct addr *a)
{
	struct plan plan;

	if (a->host == HOST_NONE &&
	    !str_eqcase(addr_local(a), STR("postmaster"))) {
		print_text(0, "from other hosts: refused, a domain is needed");
		return;
	}
	x.enquiry->x.told = NULL;
	log_divert(ignore);
	enquiry_plan(x.enquiry, 0, addr_local(a), addr_domain(a), &plan);
	log_divert(print_log);
	print_verdict("from other hosts: ", &plan.verdict);
}

static int exit_code(const struct verdict *v)
{
	if (v->kind == VERDICT_NEVER)
		return EX_NOUSER;
	if (v->kind == VERDICT_LATER || x.later)
		return EX_TEMPFAIL;
	return x.never ? EX_NOHOST : EX_OK;
}

static bool is_rewritten(struct str local)
{
	return str_startscase(local, STR("SRS0=")) ||
	       str_startscase(local, STR("SRS1="));
}

static int explain_local(const struct addr *a)
{
	char room[REQUEST_FORWARDS_MAX], status[16], reason[REQUEST_TEXT_MAX];
	struct buf forwards = BUF(room), s = BUF(status), t = BUF(reason);
	struct str list, address, owner;
	struct plan plan;

	if (x.e->conf->srs && is_rewritten(addr_local(a))) {
		print_text(0,
		    "a rewritten sender (SRS): deliver alone has the secret "
		    "that tells whom it stands for");
		return EX_NOPERM;
	}
	x.enquiry->x.told = told;
	enquiry_look_into_homes(x.enquiry);
	enquiry_plan(
	    x.enquiry, REQUEST_LOCAL, addr_local(a), addr_domain(a), &plan);
	buf_put(&forwards, plan.forwards);
	buf_put(&s, plan.verdict.status);
	buf_put(&t, str_head(plan.verdict.text, sizeof(reason)));
	plan.verdict.status = buf_str(&s);
	plan.verdict.text = buf_str(&t);
	list = buf_str(&forwards);
	while (request_forward(&list, &address, &owner) == 0)
		explain_hops(address);
	print_verdict("from local programs: ", &plan.verdict);
	explain_strangers(a);
	return exit_code(&plan.verdict);
}

static int explain_remote(const struct addr *a, struct str address)
{
	static char recipients_text[RECIPIENTS_TEXT_MAX];
	static struct text recipients;
	const struct conf *c = x.e->conf;
	struct verdict v = { VERDICT_DONE, STR("2.1.5"), STR("") };

	explain_hops(address);
	print_text(0, "from local programs and relay-networks: accepted");
	recipients.b = BUF(recipients_text);
	if (!conf_has_domain(&c->relay_domains, addr_domain(a)))
		v = (struct verdict){ VERDICT_NEVER, STR("5.7.1"),
			STR("neither of local-domains nor of relay-domains") };
	else if (c->relay_recipients)
		v = recipients_find(&recipients, c->relay_recipients,
		    addr_local(a), addr_domain(a));
	print_verdict("from other hosts: ", &v);
	v.kind = VERDICT_DONE;
	return exit_code(&v);
}

int explain_address(const struct explain *e, struct str address)
{
	struct addr a;

	x.e = e;
	if (addr_mailbox(address, ADDR_BARE_OK | ADDR_UTF8_OK, &a) != 0) {
		print_text(0, "not an address");
		return EX_DATAERR;
	}
	log_divert(print_log);
	x.enquiry = enquiry_start(e->conf);
	if (a.host == HOST_NONE ||
	    conf_has_domain(&e->conf->local_domains, addr_domain(&a)))
		return explain_local(&a);
	return explain_remote(&a, address);
}
