/* Command lines of sendmail: those of real programs, and those that no
 * program should use. */
#include "tests/unit/tap.h"

#include "mail/cmdline.h"

enum { ARGS = 12 };

struct row {
	const char *args[ARGS];
	const char *want; /* see show(); or "!" and a word of the complaint */
};

/* clang-format off */
static const struct row rows[] = {
	/* callers */
	{ { "sendmail", "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root" },
	    "send t i f=root F=CronDaemon" },
	{ { "sendmail", "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root" },
	    "send i F=CronDaemon root" },
	{ { "sendmail", "-i", "-B", "8BITMIME", "root" }, "send i root" },
	{ { "sendmail", "-FAnacron", "-odi", "root" }, "send F=Anacron root" },
	{ { "sendmail", "-i", "user" }, "send i user" },
	{ { "sendmail", "-ti" }, "send t i" },
	{ { "/usr/lib/sendmail", "-t" }, "send t" },
	{ { "sendmail", "-t", "-i", "-fuser@example.org" },
	    "send t i f=user@example.org" },
	{ { "sendmail", "-bs" }, "smtp" },
	{ { "sendmail", "-bs", "-i" }, "smtp i" },
	{ { "sendmail", "-bs", "-odb", "-oem" }, "smtp" },
	{ { "sendmail", "-i", "-f", "u@example.org", "a@b", "c@d" },
	    "send i f=u@example.org a@b c@d" },
	{ { "sendmail", "-oi", "-f", "u@h", "-t" }, "send t i f=u@h" },
	{ { "sendmail", "-i", "-f", "u@h", "--", "-x@y", "a@b" },
	    "send i f=u@h -x@y a@b" },
	{ { "sendmail", "-oem", "-oi", "-f", "a@b", "-B8BITMIME", "-N", "never", "-R", "hdrs", "--", "c@d" },
	    "send i f=a@b N=1 R=2 c@d" },
	{ { "sendmail", "-r", "a@b", "c" }, "send f=a@b c" },
	{ { "sendmail", "-ra@b", "c" }, "send f=a@b c" },
	{ { "sendmail", "-bp" }, "queue" },
	{ { "sendmail", "-bi" }, "aliases" },
	{ { "sendmail", "-I" }, "aliases" },
	{ { "sendmail", "-q" }, "flush" },
	{ { "sendmail", "-bv", "a" }, "route a" },
	{ { "sendmail", "-v", "a" }, "send v a" },
	{ { "/usr/bin/mailq" }, "queue" },
	{ { "newaliases" }, "aliases" },
	{ { "mailq.old" }, "send" },
	{ { "/usr/bin/mailq/" }, "queue" },
	/* values */
	{ { "sendmail", "-f", "", "a" }, "send f= a" },
	{ { "sendmail", "-f", "<>", "a" }, "send f=<> a" },
	{ { "sendmail", "-f", "-t", "a" }, "send f=-t a" },
	{ { "sendmail", "-F", "A B", "a" }, "send F=A B a" },
	{ { "sendmail", "-N", "success,Failure, delay", "a" }, "send N=14 a" },
	{ { "sendmail", "-Nfailure", "-Rfull", "-Vabc", "a" },
	    "send N=4 R=1 V=abc a" },
	{ { "sendmail", "-tfa@b" }, "send t f=a@b" },
	{ { "sendmail", "-f", "a@b", "-f", "c@d", "e" }, "send f=c@d e" },
	{ { "sendmail", "-bm", "-v", "x" }, "send v x" },
	/* without a meaning, and never a recipient */
	{ { "sendmail", "-O", "QueueDirectory=/x", "a" }, "send a" },
	{ { "sendmail", "-OQueueDirectory=/x", "a" }, "send a" },
	{ { "sendmail", "-oQ/x", "-o", "em", "a" }, "send a" },
	{ { "sendmail", "-o", "i", "a" }, "send i a" },
	{ { "sendmail", "-X", "/tmp/log", "a" }, "send a" },
	{ { "sendmail", "-X/tmp/log", "a" }, "send a" },
	{ { "sendmail", "-D", "/tmp/log", "a" }, "send a" },
	{ { "sendmail", "-C", "/etc/shadow", "a" }, "send a" },
	{ { "sendmail", "-C/etc/shadow", "a" }, "send a" },
	{ { "sendmail", "-h", "25", "-L", "tag", "-A", "c", "-p", "x:y", "a" },
	    "send a" },
	{ { "sendmail", "-Ac", "-G", "-U", "-m", "-n", "-x", "-c", "-s", "a" },
	    "send a" },
	{ { "sendmail", "-em", "-ee", "-e", "q", "a" }, "send a" },
	{ { "sendmail", "-d0.1", "-d", "a" }, "send a" },
	/* where options end */
	{ { "sendmail", "a", "-t" }, "send a -t" },
	{ { "sendmail", "a", "--", "-t" }, "send a -- -t" },
	{ { "sendmail", "--", "--" }, "send --" },
	{ { "sendmail", "-" }, "send -" },
	{ { "sendmail", "" }, "send " },
	{ { "sendmail" }, "send" },
	{ { "sendmail", "--" }, "send" },
	{ { NULL }, "send" },
	/* refused */
	{ { "sendmail", "-bd" }, "!daemon" },
	{ { "sendmail", "-bD" }, "!daemon" },
	{ { "sendmail", "-bd", "-q15m" }, "!daemon" },
	{ { "sendmail", "-q15m" }, "!daemon" },
	{ { "sendmail", "-bt" }, "!mode" },
	{ { "sendmail", "-bsx" }, "!mode" },
	{ { "sendmail", "-b", "" }, "!mode" },
	{ { "sendmail", "-b" }, "!needed" },
	{ { "sendmail", "-f" }, "!needed" },
	{ { "sendmail", "-t", "-F" }, "!needed" },
	{ { "sendmail", "-Z" }, "!unknown" },
	{ { "sendmail", "-tZ" }, "!unknown" },
	{ { "sendmail", "--help" }, "!unknown" },
	{ { "sendmail", "-\xff" }, "!unknown" },
	{ { "sendmail", "-f", "a@b\nX: y" }, "!line end" },
	{ { "sendmail", "-fa@b\r" }, "!line end" },
	{ { "sendmail", "-F", "A\nBcc: b" }, "!line end" },
	{ { "sendmail", "-B", "9BIT" }, "!8BITMIME" },
	{ { "sendmail", "-N", "never,success" }, "!never" },
	{ { "sendmail", "-N", "often" }, "!never" },
	{ { "sendmail", "-N", "" }, "!never" },
	{ { "sendmail", "-R", "some" }, "!full" },
	{ { "sendmail", "-V", "a\nb" }, "!ASCII" },
	{ { "sendmail", "-V", "\xc3\xbc" }, "!ASCII" },
};
/* clang-format on */

static void put_value(struct buf *b, bool given, const char *key, struct str v)
{
	if (!given)
		return;
	buf_putz(b, key);
	buf_put(b, v);
}

static void put_number(struct buf *b, const char *key, unsigned n)
{
	if (n == 0)
		return;
	buf_putz(b, key);
	buf_u64(b, n);
}

static void show(
    struct buf *b, const struct cmdline *c, int argc, const char *const *argv)
{
	static const char *const modes[] = { "send", "smtp", "queue", "aliases",
		"route", "flush" };

	buf_putz(b, modes[c->mode]);
	buf_putz(b, c->header_rcpts ? " t" : "");
	buf_putz(b, c->keep_dots ? " i" : "");
	buf_putz(b, c->verbose ? " v" : "");
	put_value(b, c->has_sender, " f=", c->sender);
	put_value(b, c->has_name, " F=", c->name);
	put_number(b, " N=", c->notify);
	put_number(b, " R=", c->ret);
	put_value(b, c->envid.n > 0, " V=", c->envid);
	for (int i = c->first; i < argc; i++) {
		buf_putc(b, ' ');
		buf_putz(b, argv[i]);
	}
}

static void parse(const struct row *r)
{
	char text[256];
	struct buf b = BUF(text);
	const char *why = "";
	struct str option = STR("");
	struct cmdline c;
	int argc = 0;

	while (argc < ARGS && r->args[argc])
		argc++;
	if (cmdline_parse(&c, argc, r->args, &why, &option) == 0)
		show(&b, &c, argc, r->args);
	else
		buf_putz(&b, "!");
	buf_putc(&b, '\0');
	if (r->want[0] == '!')
		tap_ok(text[0] == '!' && strstr(why, r->want + 1) != NULL,
		    "%s: %s", r->args[1], why);
	else
		tap_ok(strcmp(text, r->want) == 0, "%s (%s)", r->want, text);
}

/* As xtext it has 100 octets at most. */
static void envid(void)
{
	const char *args[] = { "sendmail", "-V", NULL, "a" };
	char text[128];
	struct str option;
	const char *why;
	struct cmdline c;

	for (size_t n = 30; n <= 110; n++) {
		for (unsigned plus = 0; plus < 2; plus++) {
			memset(text, plus ? '+' : 'x', n);
			text[n] = '\0';
			args[2] = text;
			if ((cmdline_parse(&c, 4, args, &why, &option) == 0) !=
			    (n * (plus ? 3 : 1) <= 100)) {
				tap_ok(false, "envelope id of %zu", n);
				return;
			}
		}
	}
	tap_ok(true, "length of an envelope id");
}

int main(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++)
		parse(&rows[i]);
	envid();
	return tap_done();
}
