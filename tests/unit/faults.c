/*
 * A session whose host fails: a disk without room, a file that cannot be
 * made or written, a shutdown.  Nothing is stored, every reply is temporary,
 * and the session goes on as the RFC wants.
 */
#include "mail/session.h"
#include "tests/unit/tap.h"

#include <errno.h>

static struct session s;
static struct {
	bool full;
	int open, write;
	unsigned nopened, nwrites, nclosed, ncommits;
} world;

static void lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	(void)f;
	(void)self;
	(void)to;
	*v = (struct verdict){ VERDICT_DONE, STR("2.1.5"), STR("ok") };
}

static bool yes(void *self, const struct addr *to)
{
	(void)self;
	(void)to;
	return true;
}

static bool has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	(void)size_bytes;
	return !world.full;
}

static int open_message(void *self, struct str *id)
{
	(void)self;
	*id = STR("id");
	world.nopened += world.open == 0;
	return world.open;
}

static int write_message(void *self, struct str content)
{
	(void)self;
	tap_ok(content.n > SESSION_CONTENT - 2, "as much as fits is written");
	world.nwrites++;
	return world.write;
}

static void commit(void *self, const struct session *session, struct str rest,
    struct verdict *v)
{
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf b = BUF(text);

	(void)self;
	session_from_put(session, &b);
	tap_same(buf_str(&b), STR("root@origin.example"),
	    "a bare sender is qualified");
	buf_clear(&b);
	session_rcpt_put(session, 0, &b);
	tap_same(
	    buf_str(&b), STR("alice@origin.example"), "and a bare recipient");
	tap_ok(str_starts(rest, STR("Received:")) == (world.nwrites == 0) &&
		   rest.n > 0,
	    "the rest is all there is, unless something was written");
	world.ncommits++;
	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("stored") };
}

static void close_message(void *self)
{
	(void)self;
	world.nclosed++;
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
	return 0;
}

static void refused(void *self, struct str line, struct str text)
{
	(void)self;
	(void)line;
	(void)text;
}

static void may_send(void *self, const struct addr *from, struct verdict *v)
{
	(void)self;
	(void)from;
	*v = (struct verdict){ VERDICT_DONE, STR("2.1.0"), STR("") };
}

static const struct session_host host = {
	.lookup = lookup,
	.may_send = may_send,
	.is_local = yes,
	.is_relayed = yes,
	.has_room = has_room,
	.open = open_message,
	.write = write_message,
	.commit = commit,
	.close = close_message,
	.pending = pending,
	.now = now,
	.refused = refused,
};

static const struct session_setup set = {
	.hostname = S("here.example"),
	.origin = S("origin.example"),
	.size_limit_bytes = 1 << 20,
	.rcpt_limit = 4096,
	.local = true,
	.inside = true,
	.piped = true,
};

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	memset(&s, 0, offsetof(struct session, rcpt));
	session_init(&s, &set, &host);
	buf_clear(&s.out);
}

/* Hands `octets` in; the last line that was replied. */
static struct str say(struct str octets)
{
	struct str out, line, last = STR("");
	size_t used;

	buf_clear(&s.out);
	do {
		used = session_input(&s, octets);
		octets = str_skip(octets, used);
	} while (used > 0 && octets.n > 0);
	out = buf_str(&s.out);
	while (str_cut(&out, '\n', &line))
		last = line;
	return last;
}

static bool says(struct str octets, struct str reply)
{
	return str_starts(say(octets), reply);
}

#define ENVELOPE "HELO a\r\nMAIL FROM:<root>\r\nRCPT TO:<alice>\r\n"

static void no_room(void)
{
	begin();
	world.full = true;
	tap_ok(says(STR("HELO a\r\nMAIL FROM:<> SIZE=9\r\n"), STR("452 4.3.1")),
	    "no room: 452 at MAIL");
	tap_ok(
	    says(STR("RCPT TO:<alice>\r\n"), STR("503")), "and no transaction");
	world.full = false;
	tap_ok(says(STR("MAIL FROM:<>\r\n"), STR("250")), "until there is");
}

static void cannot_open(int error, struct str reply)
{
	begin();
	world.open = error;
	tap_ok(says(STR(ENVELOPE "DATA\r\n"), reply), "DATA: no 354");
	tap_ok(s.phase == SESSION_COMMAND, "and no content is expected");
	begin();
	world.open = error;
	tap_ok(says(STR(ENVELOPE "BDAT 6\r\nQUIT\r\n"), reply),
	    "BDAT: its octets are read first");
	tap_ok(s.phase == SESSION_COMMAND, "and are no commands");
	tap_ok(says(STR("BDAT 1 LAST\r\nx"), STR("503")), "no second chunk");
	tap_ok(world.nopened == 0 && world.nclosed == 0,
	    "what was not opened is not closed");
}

/* Content that does not fit in one piece, and its end. */
static bool long_content(struct str reply)
{
	struct str line = STR("thirty-two octets, the line's end\r\n");

	for (size_t n = 0; n < SESSION_CONTENT * 3 / 2; n += line.n)
		(void)say(line);
	return says(STR(".\r\n"), reply);
}

static void cannot_write(int error, struct str reply)
{
	begin();
	world.write = error;
	(void)say(STR(ENVELOPE "DATA\r\n"));
	tap_ok(long_content(reply), "a write that fails");
	tap_ok(world.ncommits == 0 && world.nclosed == 1 && world.nwrites == 1,
	    "is not committed, not tried again, and closed");
	world.write = 0;
	(void)say(STR("MAIL FROM:<root>\r\nRCPT TO:<alice>\r\nDATA\r\n"));
	tap_ok(long_content(STR("250 2.0.0 stored")), "a write that does not");
	world.ncommits = 0;
	world.nclosed = 1;
	world.nwrites = 0;
	tap_ok(says(STR("MAIL FROM:<root>\r\nRCPT TO:<alice>\r\n"
			"BDAT 3 LAST\r\nx\r\n"),
		   STR("250 2.0.0 stored")),
	    "the next message is stored");
	tap_ok(world.ncommits == 1 && world.nclosed == 2, "once");
}

static void too_many(void)
{
	unsigned n = 0;
	char text[256];
	bool good = true;

	begin();
	(void)say(STR("HELO a\r\nMAIL FROM:<>\r\n"));
	while (n < SESSION_RCPT_MAX && good) {
		struct buf b = BUF(text);

		buf_putz(&b, "RCPT TO:<u");
		buf_u64(&b, n);
		buf_putc(&b, '@');
		for (int i = 0; i < 3; i++)
			buf_putz(
			    &b, "a-label-of-a-good-forty-octets-to-fill-it.");
		buf_putz(&b, "example>\r\n");
		good = str_starts(say(buf_str(&b)), STR("250"));
		n += good;
	}
	tap_ok(!good && n >= 100 && n < SESSION_RCPT_MAX,
	    "the room for recipients ends at %u", n);
	tap_ok(str_starts(buf_str(&s.out), STR("452 4.5.3")), "with a 452");
	tap_ok(s.state == SESSION_RCPT && s.nrcpt == n,
	    "and the transaction lives");
}

static void ends(void)
{
	begin();
	(void)say(STR(ENVELOPE "BDAT 1\r\nx"));
	tap_ok(!session_is_idle(&s), "between chunks is no time to end");
	session_end(&s);
	tap_ok(world.nclosed == 1 && s.phase == SESSION_CLOSED,
	    "a lost client's message is closed");
	tap_ok(session_input(&s, STR("NOOP\r\n")) == 6 && s.out.n > 0,
	    "what comes later is swallowed");
	begin();
	tap_ok(session_is_idle(&s), "a new session is idle");
	session_shutdown(&s, "4.3.2", "closing");
	tap_same(buf_str(&s.out), STR("421 4.3.2 closing\r\n"), "shutdown");
	session_turn_away(&s, "4.7.0", "go");
	tap_same(buf_str(&s.out), STR("421 4.7.0 go\r\n"), "turned away");
}

int main(void)
{
	no_room();
	cannot_open(-ENOSPC, STR("452 4.3.1"));
	cannot_open(-EIO, STR("451 4.3.0"));
	cannot_write(-EDQUOT, STR("452 4.3.1"));
	cannot_write(-EIO, STR("451 4.3.0"));
	too_many();
	ends();
	return tap_done();
}
