/*
 * The dialogues of tests/dialogue (their form stands in tests/lib/dialogue.py)
 * played in-process against mail/session: as they are, octet by octet, and
 * cut in two at every octet.  The host is this program: users, aliases and
 * mailboxes are tables.  What only a real connection can show (the text of
 * replies, trace fields) is left to tests/dialogue.t.
 */
#include "mail/session.h"

#include <dirent.h>
#include <errno.h>

#include "tests/unit/dialogue.h"
#include "tests/unit/tap.h"

/* The run at hand. */
static struct {
	struct session s;
	char out[FILE_MAX]; /* what the server said, not looked at */
	size_t nout, at;
	char message[FILE_MAX]; /* what the host was given to write */
	size_t nmessage;
	bool more; /* of the segment is still to come */
	bool open;
	unsigned got[BOXES], queued;
	char why[300];
} run;

static void fail(const char *why, struct str what)
{
	if (run.why[0] != '\0')
		return;
	snprintf(run.why, sizeof(run.why), "%s: %.*s", why,
	    (int)(what.n > 200 ? 200 : what.n), what.p);
}

/* ------------------------------------------------------------ the host */

/* clang-format off */
static const struct {
	struct str name;
	unsigned boxes;		/* a bit each; 0: `kind` tells */
	enum verdict_kind kind;
} people[] = {
	{ S("alice"),		1u << ALICE,			VERDICT_DONE },
	{ S("bob"),		1u << BOB,			VERDICT_DONE },
	{ S("chain"),		1u << ALICE,			VERDICT_DONE },
	{ S("list"),		1u << ALICE,			VERDICT_DONE },
	{ S("both"),		1u << ALICE | 1u << BOB,	VERDICT_DONE },
	{ S("postmaster"),	1u << ROOT,			VERDICT_DONE },
	{ S("gone"),		0,				VERDICT_FORWARD },
	{ S("ring1"),		0,				VERDICT_NEVER },
};
/* clang-format on */

static size_t person(struct str local)
{
	size_t i = 0;

	local = str_head(local, str_find(local, '+'));
	while (i < TAP_N(people) && !str_eqcase(people[i].name, local))
		i++;
	return i;
}

static bool in_list(struct str list, struct str domain)
{
	struct str word;

	while (str_word(&list, &word))
		if (str_eq(word, domain))
			return true;
	return false;
}

static bool is_local(void *self, const struct addr *to)
{
	(void)self;
	return str_eq(addr_domain(to), STR("[127.0.0.1]")) ||
	       in_list(d.local_domains, addr_domain(to));
}

static bool is_relayed(void *self, const struct addr *to)
{
	(void)self;
	return in_list(d.relay_domains, addr_domain(to));
}

static void lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	size_t i = person(addr_local(to));

	*v = (struct verdict){ VERDICT_NEVER, STR("5.1.1"), STR("unknown") };
	if (to->host != HOST_NONE && !is_local(self, to))
		*v = (struct verdict){ VERDICT_DONE, STR("2.1.5"), STR("") };
	if (i == TAP_N(people) || v->kind == VERDICT_DONE)
		return;
	v->kind = people[i].kind;
	if (v->kind == VERDICT_DONE)
		v->status = STR("2.1.5");
	if (v->kind == VERDICT_FORWARD) {
		v->status = STR("4.3.0");
		f->list = STR("someone@away.example\0\0");
	}
}

static int host_open(void *self, struct str *id)
{
	(void)self;
	if (run.open)
		fail("two messages open", STR(""));
	run.open = true;
	run.nmessage = 0;
	*id = STR("id0123456789");
	return 0;
}

static int host_write(void *self, struct str content)
{
	(void)self;
	if (!run.open)
		fail("written without a message", STR(""));
	if (content.n > sizeof(run.message) - run.nmessage)
		return -ENOSPC;
	if (content.n > 0)
		memcpy(run.message + run.nmessage, content.p, content.n);
	run.nmessage += content.n;
	return 0;
}

static void host_close(void *self)
{
	(void)self;
	if (!run.open)
		fail("closed twice", STR(""));
	run.open = false;
}

/* What was written begins with one Received field, behind a Delivered-To when
 * the only recipient leads elsewhere; the rest is the content. */
static void check_content(const struct session *s)
{
	struct str m = str_at(run.message, run.nmessage);
	struct str want = buf_str(&d.content);

	if (s->nprefix > 0 &&
	    (s->ngiven != 1 || !str_starts(m, STR("Delivered-To: ")) ||
		str_find(m, '\n') + 1 != s->nprefix))
		fail("another beginning", m);
	m = str_skip(m, s->nprefix);
	if (!str_starts(m, STR("Received: from ")))
		fail("no Received", m);
	do
		m = str_skip(m, str_find(m, '\n') + 1);
	while (m.n > 0 && m.p[0] == '\t');
	if (d.has_content && !str_eq(m, want))
		fail("other content", m);
}

static void commit(
    void *self, const struct session *s, struct str rest, struct verdict *v)
{
	bool queue = false;

	if (!run.open)
		fail("committed without a message", STR(""));
	if (host_write(self, rest) < 0)
		fail("no room for the rest", STR(""));
	for (unsigned i = 0; i < s->nrcpt; i++) {
		size_t p = person(session_rcpt_local(s, i));

		queue = queue || s->rcpt[i].route != SESSION_LOCAL ||
			((s->rcpt[i].notify & NOTIFY_SUCCESS) != 0 &&
			    s->mail.from.nlocal > 0);
		if (s->rcpt[i].route == SESSION_QUEUED)
			continue;
		if (p == TAP_N(people))
			fail("unknown recipient", session_rcpt_local(s, i));
		for (int b = 0; p < TAP_N(people) && b < BOXES; b++)
			run.got[b] += people[p].boxes >> b & 1;
	}
	run.queued += queue;
	if (s->nrcpt == 0)
		fail("committed for nobody", STR(""));
	check_content(s);
	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("stored") };
}

static bool pending(void *self)
{
	(void)self;
	return run.more;
}

static int64_t now(void *self, int *offset_minutes)
{
	(void)self;
	*offset_minutes = 60;
	return 1700000000;
}

static void refused(void *self, struct str line, struct str said)
{
	(void)self;
	if (said.n < 3 || (said.p[0] != '4' && said.p[0] != '5'))
		fail("refused without a refusal", line);
}

static bool has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	(void)size_bytes;
	return true;
}

/* Of mallory nobody knows who he is now. */
static void may_send(void *self, const struct addr *from, struct verdict *v)
{
	(void)self;
	*v = (struct verdict){ VERDICT_DONE, STR("2.1.0"), STR("") };
	if (str_eq(addr_local(from), STR("eve")))
		*v = (struct verdict){ VERDICT_NEVER, STR("5.7.1"),
			STR("not as eve") };
	else if (str_eq(addr_local(from), STR("mallory")))
		*v = (struct verdict){ VERDICT_LATER, STR("4.3.0"),
			STR("who are you?") };
}

static const struct session_host host = { NULL, lookup, is_local, is_relayed,
	host_open, host_write, commit, host_close, pending, now, refused,
	has_room, may_send };

/* ------------------------------------------------------------- playing */

static void drain(void)
{
	struct str out = buf_str(&run.s.out);

	if (out.n > sizeof(run.out) - run.nout)
		abort();
	if (out.n > 0)
		memcpy(run.out + run.nout, out.p, out.n);
	run.nout += out.n;
	if (run.s.out.full)
		fail("a reply did not fit", STR(""));
	buf_clear(&run.s.out);
}

/* Hands in what there is, as long as it is taken; the count taken. */
static size_t feed(struct str in)
{
	size_t taken = 0, n;

	while ((n = session_input(&run.s, str_skip(in, taken))) > 0) {
		taken += n;
		drain();
	}
	drain();
	return taken;
}

/*
 * The octets of a segment arrive in pieces of `piece`, but the first cut is
 * where *cut octets of the dialogue have been sent.
 */
static void send_segment(struct str text, size_t piece, size_t *cut)
{
	size_t have = 0, taken = 0;
	char *copy;

	while (have < text.n && run.s.phase != SESSION_CLOSED) {
		size_t n = text.n - have;

		if (n > piece)
			n = piece;
		if (*cut > 0 && n > *cut)
			n = *cut;
		*cut = *cut > n ? *cut - n : SIZE_MAX;
		have += n;
		run.more = have < text.n;
		/* memory of exactly that size: a step beyond it is seen */
		copy = tap_exact(str_at(text.p + taken, have - taken));
		taken += feed(str_at(copy, have - taken));
		free(copy);
	}
	run.more = false;
	if (taken < text.n && run.s.phase != SESSION_CLOSED &&
	    text.n - taken >= COMMAND_PATH_LINE_MAX)
		fail("octets were left", str_skip(text, taken));
}

/* The next reply, all its lines; false when there is none. */
static bool take_reply(struct str *reply)
{
	size_t from = run.at;

	while (run.at < run.nout) {
		struct str line = str_at(run.out + run.at, run.nout - run.at);

		line = str_head(line, str_find(line, '\n') + 1);
		run.at += line.n;
		if (line.n < 6 || line.n > 512 || line.p[line.n - 2] != '\r')
			fail("not a reply", line);
		if (line.n >= 4 && line.p[3] == ' ') {
			*reply = str_at(run.out + from, run.at - from);
			return true;
		}
	}
	return false;
}

/* One of the alternatives a|b begins s. */
static bool begins(struct str s, struct str alternatives)
{
	struct str one;

	while (str_cut(&alternatives, '|', &one))
		if (str_starts(s, one))
			return true;
	return false;
}

static bool fits(struct str reply, struct str want)
{
	struct str code, status;

	str_word(&want, &code);
	if (!begins(reply, code))
		return false;
	if (!str_word(&want, &status) || status.p[0] == '/' ||
	    status.p[0] == '!')
		return true;
	return begins(str_skip(reply, 4), status);
}

static void expect(const struct step *st)
{
	struct str reply = STR("(nothing)");

	do
		if (!take_reply(&reply)) {
			fail("no reply", st->text);
			return;
		}
	while (st->kind == UNTIL && !fits(reply, st->text));
	if (!fits(reply, st->text))
		fail("another reply", reply);
}

static void expect_end(bool closed)
{
	if (run.at < run.nout)
		fail("unasked", str_at(run.out + run.at, run.nout - run.at));
	if (closed && run.s.phase != SESSION_CLOSED)
		fail("not closed", STR(""));
	session_end(&run.s);
}

static void take_step(const struct step *st, size_t piece, size_t *cut)
{
	switch (st->kind) {
	case SEND:
		send_segment(st->text, piece, cut);
		break;
	case REPLY:
	case UNTIL:
		expect(st);
		break;
	case CLOSE:
		run.at = run.nout; /* nobody reads it */
		session_end(&run.s);
		break;
	case HALF:
		session_end(&run.s);
		break;
	case CLOSED:
		expect_end(true);
		break;
	}
}

static bool play(size_t piece, size_t cut)
{
	struct session_setup set = {
		.hostname = STR("mx.here.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = d.size_limit,
		.rcpt_limit = d.rcpt_limit,
		.local = d.local,
		.inside = !d.outside,
		.normalize = d.normalize,
		.uid = 1000,
		.user = STR("tester"),
	};
	static const unsigned char loopback[4] = { 127, 0, 0, 1 };

	set.peer = netaddr_of4(loopback);
	memset(&run.s, 0, sizeof(run.s));
	memset(run.got, 0, sizeof(run.got));
	run.queued = 0;
	run.nout = run.at = run.nmessage = 0;
	run.open = false;
	run.why[0] = '\0';
	run.more = d.step[0].kind == SEND;
	session_init(&run.s, &set, &host);
	run.more = false;
	drain();
	for (unsigned i = 0; i < d.nstep; i++)
		take_step(&d.step[i], piece, &cut);
	expect_end(false);
	if (run.open)
		fail("a message is left open", STR(""));
	for (int b = 0; b < BOXES; b++)
		if (run.got[b] < d.low[b] || run.got[b] > d.high[b])
			fail("other count of messages", str_of(box_names[b]));
	if (run.queued != d.queued)
		fail("other count of messages queued", STR(""));
	return run.why[0] == '\0';
}

/* Of short dialogues alone: each cut is a whole run. */
enum { CUT_MAX = 600 };

static bool play_cuts(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < d.nstep; i++)
		if (d.step[i].kind == SEND)
			n += d.step[i].text.n;
	if (n > CUT_MAX)
		return true;
	for (size_t cut = 1; cut < n; cut++)
		if (!play(SIZE_MAX, cut))
			return false;
	return true;
}

static void report(bool good, const char *name, const char *how)
{
	tap_ok(good, "%s%s", name, how);
	if (!good)
		printf("# %s\n", run.why);
}

static void test_file(const char *name)
{
	if (!read_file(name)) {
		tap_ok(false, "%s cannot be read", name);
		return;
	}
	report(play(SIZE_MAX, SIZE_MAX), name, "");
	report(play(1, SIZE_MAX), name, ", octet by octet");
	report(play_cuts(), name, ", cut in two everywhere");
}

static int is_dialogue(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot != NULL && strcmp(dot, ".smtp") == 0;
}

int main(void)
{
	struct dirent **names;
	int n = scandir("tests/dialogue", &names, is_dialogue, alphasort);

	for (int i = 0; i < n; i++) {
		test_file(names[i]->d_name);
		free(names[i]);
	}
	if (n > 0)
		free(names);
	tap_ok(n >= 150, "there are dialogues");
	return tap_done();
}
