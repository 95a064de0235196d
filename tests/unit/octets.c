/*
 * Octets that no command may hold, at every position of every command: one
 * reply, which is an error for good, and nothing has changed.
 */
#include "tests/unit/host.h"

/* clang-format off */
/* What leads to the states in which commands are tried. */
static const char *const before[] = {
	"EHLO c.example\r\n",
	"MAIL FROM:<>\r\n",
	"RCPT TO:<good@here.example>\r\n",
};

/* After so many of these; where words are of no matter they may be 8-bit. */
static const struct {
	unsigned nbefore;
	bool words;
	const char *command;
} rows[] = {
	{ 0, false, "EHLO client.example" },
	{ 0, false, "HELO client.example" },
	{ 1, false, "MAIL FROM:<>" },
	{ 1, false, "MAIL FROM:<a.b@away.example> SIZE=20" },
	{ 1, false, "MAIL FROM:<\"a b\"@away.example> RET=HDRS" },
	{ 2, false, "RCPT TO:<good@here.example>" },
	{ 2, false, "RCPT TO:<@a.b:\"good\"@here.example> NOTIFY=NEVER" },
	{ 3, false, "DATA" },
	{ 3, false, "RSET" },
	{ 1, false, "NOOP" },
	{ 1, true,  "NOOP some words" },
	{ 1, true,  "VRFY good" },
	{ 1, false, "HELP" },
	{ 1, false, "QUIT" },
};
/* clang-format on */

static void say(struct str in)
{
	while (in.n > 0) {
		size_t taken = session_input(&s, in);

		if (taken == 0)
			break;
		in = str_skip(in, taken);
	}
}

/* One reply of one line, of the class 5; or the end, for what is no SMTP. */
static bool is_refusal(struct str out)
{
	bool over = str_starts(out, STR("421 4.7.0 "));

	return out.n > 5 && (over || out.p[0] == '5') && out.p[3] == ' ' &&
	       str_find(out, '\n') == out.n - 1 &&
	       s.phase == (over ? SESSION_CLOSED : SESSION_COMMAND);
}

static bool is_refused(size_t row, const char *line, size_t n)
{
	const struct session_setup set = { .hostname = STR("mx.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = 1 << 20,
		.rcpt_limit = 100 };
	char *exact = tap_exact(str_at(line, n));
	enum session_state state;
	unsigned nrcpt;
	bool good;

	memset(&s, 0, offsetof(struct session, rcpt));
	open = false;
	faults = 0;
	session_init(&s, &set, &host);
	buf_clear(&s.out); /* the greeting */
	for (unsigned i = 0; i < rows[row].nbefore; i++) {
		say(str_of(before[i]));
		buf_clear(&s.out);
	}
	state = s.state;
	nrcpt = s.nrcpt;
	say(str_at(exact, n));
	good = is_refusal(buf_str(&s.out)) && s.state == state &&
	       s.nrcpt == nrcpt && !open && faults == 0;
	session_end(&s);
	free(exact);
	return good;
}

enum { SHOWN_MAX = 10 };
static unsigned shown;

/* `octet` in the command of a row, at `at`; in the place of one that was
 * there, if `instead`. */
static bool tried(size_t row, size_t at, char octet, bool instead)
{
	char text[100];
	struct buf b = BUF(text);
	struct str command = str_of(rows[row].command);
	bool good;

	buf_put(&b, str_head(command, at));
	buf_putc(&b, octet);
	buf_put(&b, str_skip(command, at + instead));
	buf_putz(&b, "\r\n");
	good = is_refused(row, text, b.n);
	if (!good && shown++ < SHOWN_MAX) {
		tap_show("said", buf_str(&b));
		tap_show("heard", buf_str(&s.out));
	}
	return good;
}

static bool is_bad(unsigned octet, bool words)
{
	if (octet > 0x7f)
		return !words;
	return octet == 0x7f ||
	       (octet < ' ' && octet != '\t' && octet != '\r' && octet != '\n');
}

int main(void)
{
	for (size_t row = 0; row < TAP_N(rows); row++) {
		size_t n = strlen(rows[row].command);
		unsigned wrong = 0, tries = 0;

		for (unsigned octet = 0; octet < 256; octet++) {
			if (!is_bad(octet, rows[row].words))
				continue;
			for (size_t at = 0; at <= n; at++) {
				wrong += !tried(row, at, (char)octet, false);
				wrong += at < n &&
					 !tried(row, at, (char)octet, true);
				tries += at < n ? 2 : 1;
			}
		}
		tap_ok(
		    wrong == 0, "%u octets in: %s", tries, rows[row].command);
	}
	return tap_done();
}
