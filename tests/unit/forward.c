/*
 * A session whose recipients are aliases that lead elsewhere, or cannot be
 * asked for now: whom the message goes to instead, all of them or none, and
 * what of the sender's wishes goes with it.
 */
#include "tests/unit/host.h"

#define LIST_OWNER "owner-list@here.example"

/* The sender as other hosts shall see him. */
static struct str sender;
static char many[REQUEST_FORWARDS_MAX];
static size_t nmany;

/* clang-format off */
static const struct {
	struct str name;
	enum verdict_kind kind;
	bool mailboxes;
	struct str list;	/* address NUL owner NUL ... */
} people[] = {
	{ S("alias"), VERDICT_FORWARD, false, S("a@away.example\0\0") },
	{ S("both"), VERDICT_FORWARD, true,
	    S("a@away.example\0\0" "b@far.example\0\0") },
	{ S("list"), VERDICT_FORWARD, false,
	    S("a@away.example\0" LIST_OWNER "\0"
	      "b@away.example\0" LIST_OWNER "\0") },
	{ S("half"), VERDICT_FORWARD, true,
	    S("a@away.example\0\0" "no address\0\0") },
	{ S("nowhere"), VERDICT_FORWARD, false, S("") },
	{ S("later"), VERDICT_LATER, false, S("") },
	{ S("good"), VERDICT_DONE, false, S("") },
};
/* clang-format on */

static void find(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	static char text[200];
	struct buf b = BUF(text);
	size_t i = 0;

	(void)self;
	*f = (struct forwards){ .list = STR("") };
	*v = (struct verdict){ VERDICT_FORWARD, STR("4.3.0"), STR("text") };
	if (str_eq(addr_local(to), STR("many"))) {
		f->list = str_at(many, nmany);
		return;
	}
	/* list+N: a list whose owner is owner-N */
	if (str_starts(addr_local(to), STR("list+"))) {
		request_field(&b, STR("a@away.example"));
		buf_putz(&b, "owner-");
		buf_put(&b, str_skip(addr_local(to), 5));
		request_field(&b, STR("@here.example"));
		f->list = buf_str(&b);
		return;
	}
	while (i < TAP_N(people) && !str_eq(people[i].name, addr_local(to)))
		i++;
	if (i == TAP_N(people)) {
		*v = (struct verdict){ VERDICT_NEVER, STR("5.1.1"), STR("no") };
		return;
	}
	v->kind = people[i].kind;
	if (v->kind == VERDICT_DONE)
		v->status = STR("2.1.5");
	*f = (struct forwards){ people[i].mailboxes, sender, people[i].list };
}

static bool is_backup(void *self, const struct addr *to)
{
	(void)self;
	return str_eq(addr_domain(to), STR("backup.example"));
}

static struct session_setup set = { .hostname = S("here.example"),
	.origin = S("here.example"),
	.size_limit_bytes = 1 << 20,
	.rcpt_limit = SESSION_RCPT_MAX,
	.inside = true,
	.piped = true };
static struct session_host mine;

static struct str say(struct str octets)
{
	size_t used;

	buf_clear(&s.out);
	do {
		used = session_input(&s, octets);
		octets = str_skip(octets, used);
	} while (used > 0 && octets.n > 0);
	return buf_str(&s.out);
}

static void begin(bool local, struct str helo)
{
	char text[100];
	struct buf b = BUF(text);

	set.local = set.queue_helo = local;
	open = false;
	memset(&s, 0, offsetof(struct session, rcpt));
	session_init(&s, &set, &mine);
	buf_putz(&b, "HELO ");
	buf_put(&b, helo);
	buf_putz(&b, "\r\nMAIL FROM:<s@away.example>\r\n");
	(void)say(buf_str(&b));
}

static bool rcpt(struct str local, const char *more, struct str reply)
{
	char text[300];
	struct buf b = BUF(text);
	struct str said;

	buf_putz(&b, "RCPT TO:<");
	buf_put(&b, local);
	buf_putz(&b, more);
	buf_putz(&b, "\r\n");
	said = say(buf_str(&b));
	if (!str_starts(said, reply))
		tap_show("said", said);
	return str_starts(said, reply);
}

#define HERE "@here.example>"

static bool is_rcpt(
    unsigned i, struct str local, struct str domain, enum session_route route)
{
	return i < s.nrcpt && s.rcpt[i].route == route &&
	       str_eq(session_rcpt_local(&s, i), local) &&
	       str_eq(session_rcpt_domain(&s, i), domain);
}

static void leads_elsewhere(void)
{
	begin(false, STR("c.example"));
	tap_ok(rcpt(STR("alias"), HERE " NOTIFY=DELAY ORCPT=rfc822;x",
		   STR("250 2.1.5")),
	    "an alias is taken");
	tap_ok(s.nrcpt == 1 &&
		   is_rcpt(0, STR("a"), STR("away.example"), SESSION_QUEUED),
	    "and stands for his address");
	tap_same(session_rcpt_orcpt(&s, 0), STR("rfc822;x"),
	    "what the sender asked goes with it");
	tap_ok(s.rcpt[0].notify == NOTIFY_DELAY &&
		   session_rcpt_owner(&s, 0).n == 0,
	    "NOTIFY too; there is no owner");
	tap_ok(rcpt(STR("both"), HERE, STR("250 2.1.5")), "one with a mailbox");
	tap_ok(
	    s.nrcpt == 4 &&
		is_rcpt(1, STR("both"), STR("here.example"), SESSION_LOCAL) &&
		is_rcpt(2, STR("a"), STR("away.example"), SESSION_QUEUED) &&
		is_rcpt(3, STR("b"), STR("far.example"), SESSION_QUEUED),
	    "has it, and both addresses");
	tap_ok(s.rcpt[1].forwarded && s.rcpt[1].sum != 0,
	    "and it is known of what");
	tap_ok(s.ngiven == 2, "the client has named two");
}

static void all_or_none(void)
{
	begin(false, STR("c.example"));
	tap_ok(rcpt(STR("good"), HERE, STR("250")), "a first one");
	tap_ok(rcpt(STR("half"), HERE, STR("452 4.5.3")),
	    "an address that is none: not now");
	tap_ok(s.nrcpt == 1 && s.room.n == 16,
	    "and nothing of that alias is kept");
	nmany = 0;
	while (nmany + 8 <= sizeof(many)) {
		memcpy(many + nmany, "a@b.cc\0", 8);
		nmany += 8;
	}
	tap_ok(nmany / 8 > SESSION_RCPT_MAX, "more than there is room for");
	tap_ok(rcpt(STR("many"), HERE, STR("452 4.5.3")), "are too many");
	tap_ok(s.nrcpt == 1, "and none of them is kept");
	tap_ok(rcpt(STR("alias"), HERE, STR("250")), "others can follow");
}

static void owners(void)
{
	char text[32];

	begin(false, STR("c.example"));
	tap_ok(rcpt(STR("list"), HERE " NOTIFY=SUCCESS ORCPT=rfc822;x",
		   STR("250")),
	    "a list is taken");
	tap_ok(s.nrcpt == 2 && s.rcpt[0].notify == 0 &&
		   session_rcpt_orcpt(&s, 0).n == 0,
	    "its members are not the sender's to hear of");
	tap_same(session_rcpt_owner(&s, 1), STR(LIST_OWNER), "but its owner's");
	for (unsigned i = 2; i <= SESSION_OWNERS_MAX + 1; i++) {
		struct buf b = BUF(text);
		bool last = i == SESSION_OWNERS_MAX + 1;

		buf_putz(&b, "list+");
		buf_u64(&b, i);
		tap_ok(rcpt(buf_str(&b), HERE,
			   last ? STR("452 4.5.3") : STR("250")),
		    "owner %u", i);
	}
	tap_ok(rcpt(STR("list+3"), HERE, STR("250")), "an old owner again");
	tap_ok(rcpt(STR("list"), HERE, STR("250")), "and the first one");
	tap_ok(rcpt(STR("alias"), HERE, STR("250")), "or none");
}

static void rewritten(void)
{
	sender = STR("SRS0=x=y=away.example=s@here.example");
	begin(false, STR("c.example"));
	tap_ok(
	    rcpt(STR("both"), HERE " NOTIFY=DELAY ORCPT=rfc822;x", STR("250")),
	    "an alias whose mail needs another sender");
	tap_ok(s.nrcpt == 3 && session_rcpt_owner(&s, 0).n == 0 &&
		   !s.rcpt[0].rewritten,
	    "the mailbox keeps the one there is");
	for (unsigned i = 1; i < 3 && i < s.nrcpt; i++) {
		tap_same(session_rcpt_owner(&s, i), sender,
		    "address %u has the other one", i);
		tap_ok(s.rcpt[i].rewritten, "who is the same man");
		tap_ok(s.rcpt[i].notify == NOTIFY_DELAY,
		    "and hears what he asked for");
		tap_same(session_rcpt_orcpt(&s, i), STR("rfc822;x"),
		    "of whom he asked for");
	}
	tap_ok(rcpt(STR("list"), HERE, STR("250")), "a list");
	tap_ok(s.nrcpt == 5 && !s.rcpt[3].rewritten, "is no sender");
	tap_same(session_rcpt_owner(&s, 3), STR(LIST_OWNER), "but its owner's");
	sender = STR("");
}

static void later(void)
{
	begin(false, STR("c.example"));
	tap_ok(rcpt(STR("later"), HERE, STR("451")), "by TCP: later");
	tap_ok(rcpt(STR("nowhere"), HERE, STR("451")),
	    "an alias of nobody: later");
	tap_ok(rcpt(STR("later"), "@backup.example>", STR("451")),
	    "a domain of another host: later");
	tap_ok(s.nrcpt == 0, "nobody is kept");
	begin(true, STR(SESSION_QUEUE_HELO));
	tap_ok(rcpt(STR("later"), HERE, STR("451")),
	    "the queue has a queue: later");
	begin(true, STR("localhost"));
	tap_ok(rcpt(STR("later"), HERE, STR("250")),
	    "a local program has none: taken");
	tap_ok(rcpt(STR("later"), "@backup.example>", STR("250")),
	    "of another host, too");
	tap_ok(
	    is_rcpt(0, STR("later"), STR("here.example"), SESSION_DEFERRED) &&
		is_rcpt(1, STR("later"), STR("backup.example"), SESSION_QUEUED),
	    "and waits in the queue");
}

int main(void)
{
	mine = host;
	mine.lookup = find;
	mine.is_relayed = is_backup;
	leads_elsewhere();
	all_or_none();
	owners();
	rewritten();
	later();
	session_end(&s);
	tap_ok(faults == 0, "the host was asked in order");
	return tap_done();
}
