/*
 * Command lines: a line that is taken apart holds no control octets, MAIL
 * and RCPT written again from what was understood are the same command, and
 * BDAT is digits and nothing else, or LAST.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/command.h"

enum { ROOM = 2 * COMMAND_PATH_LINE_MAX };

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static void put_path(struct buf *b, const struct addr *a)
{
	buf_putc(b, '<');
	addr_put(b, a);
	buf_putc(b, '>');
}

static void put_mail(struct buf *b, const struct mail_command *m)
{
	buf_putz(b, "from:");
	put_path(b, &m->from);
	buf_putz(b, " SIZE=");
	buf_u64(b, m->size_bytes);
	buf_putz(b, m->body == BODY_8BITMIME ? " body=8bitmime" : "");
	buf_putz(b, m->smtputf8 ? " smtputf8" : "");
	buf_putz(b, m->ret == RET_FULL ? " RET=full" : "");
	buf_putz(b, m->ret == RET_HDRS ? " RET=hdrs" : "");
	if (m->envid.n > 0) {
		buf_putz(b, " envid=");
		buf_put(b, m->envid);
	}
}

/* A path is longer than it was when quotes had to be put into it. */
static bool is_grown(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);

	addr_put(&b, a);
	return b.n > PATH_MAX_LEN - 2;
}

static void mail(struct str arg, bool bare_ok)
{
	char text[ROOM];
	struct buf b = BUF(text);
	struct mail_command m, n;

	if (command_mail(arg, bare_ok, &m) != 0)
		return;
	HOLDS(m.envid.n <= ENVID_MAX && xtext_valid(m.envid));
	HOLDS(m.smtputf8 || !m.from.utf8);
	HOLDS(bare_ok || m.from.host != HOST_NONE || m.from.nlocal == 0);
	put_mail(&b, &m);
	HOLDS(!b.full);
	if (is_grown(&m.from))
		return;
	HOLDS(command_mail(buf_str(&b), bare_ok, &n) == 0);
	HOLDS(addr_eq(&m.from, &n.from) && m.size_bytes == n.size_bytes);
	HOLDS(m.body == n.body && m.smtputf8 == n.smtputf8);
	HOLDS(m.ret == n.ret && str_eq(m.envid, n.envid));
}

static void put_rcpt(struct buf *b, const struct rcpt_command *r)
{
	static const char *const names[] = { "never", "success", "failure",
		"delay" };
	char mark = '=';

	buf_putz(b, "to:");
	put_path(b, &r->to);
	if (r->orcpt.n > 0) {
		buf_putz(b, " orcpt=");
		buf_put(b, r->orcpt);
	}
	if (r->notify != 0)
		buf_putz(b, " notify");
	for (unsigned i = 0; i < 4; i++)
		if ((r->notify >> i & 1) != 0) {
			buf_putc(b, mark);
			buf_putz(b, names[i]);
			mark = ',';
		}
}

static void rcpt(struct str arg, bool bare_ok, bool utf8_ok)
{
	char text[ROOM];
	struct buf b = BUF(text);
	struct rcpt_command r, q;

	if (command_rcpt(arg, bare_ok, utf8_ok, &r) != 0)
		return;
	/* ""@host is a mailbox, but no recipient is the null path. */
	HOLDS(r.to.nlocal > 0 || r.to.host != HOST_NONE);
	HOLDS(utf8_ok || !r.to.utf8);
	HOLDS((r.notify & NOTIFY_NEVER) == 0 || r.notify == NOTIFY_NEVER);
	HOLDS(r.orcpt.n <= ORCPT_MAX);
	put_rcpt(&b, &r);
	HOLDS(!b.full);
	if (is_grown(&r.to))
		return;
	HOLDS(command_rcpt(buf_str(&b), bare_ok, utf8_ok, &q) == 0);
	HOLDS(addr_eq(&r.to, &q.to) && r.notify == q.notify);
	HOLDS(str_eq(r.orcpt, q.orcpt));
}

static void bdat(struct str arg)
{
	char text[64];
	struct buf b = BUF(text);
	uint64_t n;
	bool last;

	if (command_bdat(arg, &n, &last) != 0)
		return;
	while (arg.n > 1 && arg.p[0] == '0' && str_isdigit(arg.p[1]))
		arg = str_skip(arg, 1);
	buf_u64(&b, n);
	HOLDS(str_starts(arg, buf_str(&b)));
	arg = str_trim(str_skip(arg, b.n));
	HOLDS(last ? str_eqcase(arg, STR("last")) : arg.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned flags = fuzz_octet(&s);
	struct command c;
	int rc;

	s = str_head(s, COMMAND_PATH_LINE_MAX);
	rc = command_split(s, &c);
	HOLDS((rc == COMMAND_OCTETS) == has_control(s));
	(void)command_is_foreign(s);
	if (rc != 0)
		return 0;
	HOLDS(str_find(c.verb, ' ') == c.verb.n);
	HOLDS(str_find(c.verb, '\t') == c.verb.n);
	HOLDS(str_starts(s, c.verb) && c.verb.n + c.arg.n <= s.n);
	HOLDS(str_eq(str_trim(c.arg), c.arg));
	mail(c.arg, (flags & 1) != 0);
	rcpt(c.arg, (flags & 1) != 0, (flags & 2) != 0);
	bdat(c.arg);
	return 0;
}
