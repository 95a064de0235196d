/*
 * Every sequence of three commands, from every state: each command gets
 * exactly one reply, a session that is over says nothing more, and the host
 * is never asked for anything without a recipient.
 */
#include "mail/session.h"

#include "tests/unit/tap.h"

/* clang-format off */
static const char *const commands[] = {
	"EHLO a.example\r\n",
	"HELO a.example\r\n",
	"EHLO\r\n",
	"MAIL FROM:<>\r\n",
	"MAIL FROM:<a@b.example> SMTPUTF8\r\n",
	"MAIL FROM:<a\r\n",
	"RCPT TO:<good@here.example>\r\n",
	"RCPT TO:<bad@here.example>\r\n",
	"RCPT TO:<a@away.example>\r\n",
	"DATA\r\n",
	".\r\n",
	"BDAT 2\r\nab",
	"BDAT 2 LAST\r\nab",
	"BDAT 0\r\n",
	"BDAT 0 LAST\r\n",
	"RSET\r\n",
	"NOOP\r\n",
	"VRFY x\r\n",
	"EXPN x\r\n",
	"HELP\r\n",
	"QUIT\r\n",
	"STARTTLS\r\n",
	"XYZZY\r\n",
	"\r\n",
	"NOOP \x01\r\n",
	"NOOP\n",
};
static const char *const before[] = {
	"",
	"EHLO a.example\r\n",
	"EHLO a.example\r\nMAIL FROM:<>\r\n",
	"EHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<good@here.example>\r\n",
	("EHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<good@here.example>\r\n"
	    "BDAT 1\r\nx"),
};
/* clang-format on */

static struct session s;
static bool open;
static unsigned faults;

static void lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	bool good = str_eq(addr_local(to), STR("good"));

	(void)f;
	(void)self;
	v->kind = good ? VERDICT_DONE : VERDICT_NEVER;
	v->status = good ? STR("2.1.5") : STR("5.1.1");
	v->text = STR("text");
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

static int host_open(void *self, struct str *id)
{
	(void)self;
	faults += open || s.nrcpt == 0;
	open = true;
	*id = STR("id");
	return 0;
}

static int host_write(void *self, struct str content)
{
	(void)self;
	faults += !open || content.n == 0;
	return 0;
}

static void commit(
    void *self, const struct session *of, struct str rest, struct verdict *v)
{
	(void)self;
	faults += !open || of->nrcpt == 0 || rest.n == 0;
	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("stored") };
}

static void host_close(void *self)
{
	(void)self;
	faults += !open;
	open = false;
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

static void refused(void *self, struct str line, struct str said)
{
	(void)self;
	(void)line;
	faults += said.n == 0;
}

static bool has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	(void)size_bytes;
	return true;
}

static const struct session_host host = { NULL, lookup, is_local, is_relayed,
	host_open, host_write, commit, host_close, pending, now, refused,
	has_room };

/* Complete replies in s.out, which is emptied; each line is well formed. */
static unsigned replies(void)
{
	struct str out = buf_str(&s.out), line;
	unsigned n = 0;

	while (str_cut(&out, '\n', &line)) {
		faults += line.n < 5 || line.p[line.n - 1] != '\r';
		n += line.n > 3 && line.p[3] == ' ';
	}
	buf_clear(&s.out);
	return n;
}

static void say(const char *text)
{
	struct str in = str_of(text);

	while (in.n > 0) {
		size_t taken = session_input(&s, in);

		if (taken == 0)
			break;
		in = str_skip(in, taken);
	}
}

/* One command: one reply, unless the session is over or it was content. */
static void step(const char *text)
{
	bool content = s.phase == SESSION_DATA;
	bool over = s.phase == SESSION_CLOSED;
	unsigned want = over ? 0 : 1;

	say(text);
	if (content && s.phase == SESSION_DATA)
		want = 0;
	if (replies() != want)
		faults++;
}

static void start(const char *text, const struct session_setup *set)
{
	/* the large arrays need no clearing */
	memset(&s, 0, offsetof(struct session, rcpt));
	open = false;
	session_init(&s, set, &host);
	while (*text != '\0') {
		char line[80];
		size_t n = strcspn(text, "\n") + 1;

		if (text[n - 1] == '\n' && strcmp(text + n, "x") == 0)
			n++;
		memcpy(line, text, n);
		line[n] = '\0';
		say(line);
		text += n;
	}
	buf_clear(&s.out);
}

int main(void)
{
	const struct session_setup set = { .hostname = STR("mx.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = 1 << 20,
		.rcpt_limit = 100 };
	size_t n = TAP_N(commands);

	for (size_t b = 0; b < TAP_N(before); b++) {
		faults = 0;
		for (size_t i = 0; i < n * n * n; i++) {
			start(before[b], &set);
			step(commands[i % n]);
			step(commands[i / n % n]);
			step(commands[i / n / n]);
			session_end(&s);
			faults += open;
			if (faults > 0) {
				printf("# %zu %zu %zu\n", i % n, i / n % n,
				    i / n / n);
				break;
			}
		}
		tap_ok(faults == 0, "all %zu triples, state %zu", n * n * n, b);
	}
	return tap_done();
}
