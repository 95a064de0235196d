/*
 * postern.conf: what each key takes and what it refuses, with file and line.
 */
#include "sys/conf.h"
#include "tests/unit/tap.h"

#include <sys/stat.h>
#include <unistd.h>

static char file[] = "/tmp/postern-conf-XXXXXX";
static struct conf conf;

static int read_text(const char *text, char *why, size_t max)
{
	struct buf b = { .p = why, .cap = max };
	FILE *f = fopen(file, "w");
	int rc;

	if (!f)
		return -1000;
	fputs(text, f);
	fclose(f);
	rc = conf_read(&conf, file, &b);
	why[b.n < max ? b.n : max - 1] = '\0';
	return rc;
}

static const struct {
	const char *text, *why;
} rows[] = {
	{ "bogus 1\n", ":1: 'bogus 1': unknown key" },
	{ "# x\n\nhostname\n", ":3: 'hostname': a value is needed" },
	{ "hostname a..b\n", "not a domain name" },
	{ "hostname a\nhostname b\n", ":2: 'hostname b': given twice" },
	{ "local-domains a b_ .c\n", "not a domain name" },
	{ "relay-networks 10.0.0.1/8\n", "host bits" },
	{ "relay-networks 10.0.0.0/33\n", "not an address" },
	{ "relay-networks 10.0.0.0/8 0.0.0.0/0\n", "an open relay" },
	{ "relay-networks 128.0.0.0/1\n", "an open relay" },
	{ "relay-networks 8.0.0.0/7\n", "an open relay" },
	{ "relay-networks ::/0\n", "an open relay" },
	{ "relay-networks ::/64\n", "an open relay" },
	{ "relay-networks ::ffff:0:0/96\n", "an open relay" },
	{ "relay-networks 2000::/3\n", "an open relay" },
	{ "relay-networks 2001::/15\n", "host bits" },
	{ "relay-networks 2000::/15\n", "an open relay" },
	{ "proxy-networks 0.0.0.0/0\n", "an open relay" },
	{ "mailbox maildir:Maildir\n", "absolute path" },
	{ "mailbox ~/Maildir\n", "maildir:PATH" },
	{ "mailbox lmtp:~/x\n", "absolute path" },
	{ "users files:/x\n", "file:PATH" },
	{ "users file:x\n", "absolute path" },
	{ "aliases aliases\n", "absolute path" },
	{ "srs yes\n", "on or off" },
	{ "srs-secret secret\n", "absolute path" },
	{ "message-size-limit 10X\n", "not a number" },
	{ "message-size-limit 1\n", "out of range" },
	{ "message-size-limit 99999999999999999G\n", "out of range" },
	{ "message-size-limit 18446744073709551616\n", "not a number" },
	{ "message-size-limit -1\n", "not a number" },
	{ "recipient-limit 99\n", "out of range" },
	{ "recipient-limit 4097\n", "out of range" },
	{ "connection-limit 0\n", "out of range" },
	{ "command-timeout 5\n"
	  "command-timeout 5m\n",
	    ":2: " },
	{ "command-timeout 5x\n", "not a duration" },
	{ "command-timeout 5M\n", "not a duration" },
	{ "bare-newline yes\n", "reject, or normalize" },
	{ "bare-newline normalize\n", "reject, or normalize" },
	{ "tls-certificate mail.pem\n", "absolute path or credential" },
	{ "tls-certificate /a /b credential:\n",
	    "absolute path or credential" },
	{ "tls-certificate credential:a/b\n", "absolute path or credential" },
	{ "tls-key credentials:a\n", "absolute path or credential" },
	{ "tls-key /1 /2 /3 /4 /5 /6 /7 /8 /9\n", "too many files" },
	{ "tls-directory live\n", "absolute path" },
	{ "tls-ask-certificate maybe\n", "yes or no" },
	{ "require-tls local\n", "smtp, submission or submissions" },
	{ "smarthost mail.example.net\n", "mail.example.net'" },
	{ "smarthost smtps://a smtp:/x\n", "smtp:/x'" },
	{ "smarthost smtp://a\nsmarthost smtp://b\n", "given twice" },
	{ "route x.example\n", "a domain and a next hop" },
	{ "route a..b smtp://c\n", "not a domain name" },
	{ "route x.example nonsense\n", "nonsense'" },
	{ "retry 5m\n", "first and the longest" },
	{ "retry 5m 4h 5h\n", "first and the longest" },
	{ "retry 4h 5m\n", "shorter than the first" },
	{ "retry 5 x\n", "not a duration" },
	{ "retry 0 5m\n", "out of range" },
	{ "queue-lifetime 200d\n", "out of range" },
	{ "concurrency 0\n", "out of range" },
	{ "concurrency 501\n", "out of range" },
	{ "destination-concurrency 0\n", "out of range" },
	{ "dnssec yes\n", "auto, require or off" },
	{ "resolver ns.example.org\n", "an address is needed" },
	{ "resolver 192.0.2.1:0\n", "an address is needed" },
	{ "resolver 192.0.2.1:65536\n", "an address is needed" },
	{ "resolver 192.0.2.1:\n", "an address is needed" },
	{ "resolver [2001:db8::1\n", "an address is needed" },
	{ "resolver [2001:db8::1]x\n", "an address is needed" },
	{ "trust-anchor root.key\n", "absolute path" },
	{ "credentials secret\n", "absolute path" },
	{ "sender-map senders\n", "absolute path" },
	{ "submission-rate 100\n", "a number and a time" },
	{ "submission-rate 100/x\n", "a number and a time" },
	{ "submission-rate 0/1h\n", "a number and a time" },
	{ "submission-rate 1/1h 1M\n", "a number and a time" },
	{ "submission-rate 1/1h 1M/1d 3\n", "more than messages" },
	{ "masquerade me\n", "an address or @domain" },
	{ "masquerade @a..b\n", "not a domain name" },
	{ "masquerade a@b.example to smtp://x\n", "for HOP" },
	{ "masquerade a@b.example for\n", "for HOP" },
	{ "masquerade a@b.example for smtp://x y\n", "for HOP" },
	{ "masquerade a@b.example for x\n", "for x'" },
	{ "smarthost-for a@b.example\n", "a sender and a next hop" },
	{ "smarthost-for a smtp://x\n", "an address or @domain" },
	{ "smarthost-for a@b.example x\n", "x'" },
	{ "forward yes\n", "on or off" },
	{ "forward\n", "a value is needed" },
};

/* Each of these is refused, on the line and for the reason named. */
static void faults(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[512];
		int rc = read_text(rows[i].text, why, sizeof(why));

		if (!tap_ok(rc == CONF_FAULT && strstr(why, rows[i].why) &&
				strncmp(why, file, strlen(file)) == 0,
			"fault %zu: %s", i, rows[i].why))
			printf("#   rc %d: %s\n", rc, why);
	}
}

struct seen {
	unsigned n;
	struct buf text;
};

static void see(void *arg, struct str text)
{
	struct seen *s = arg;

	s->n++;
	buf_put(&s->text, text);
	buf_putc(&s->text, '\n');
}

/* All of them in one reading, each on its line; what is good is taken. */
static void all_faults(void)
{
	char text[2048];
	struct seen s = { 0, BUF(text) };
	FILE *f = fopen(file, "w");
	int rc;

	if (f) {
		fputs("bogus 1\nhostname mx.example\n\nspool x\n"
		      "relay-networks 0.0.0.0/0\nhostname b\n",
		    f);
		fclose(f);
	}
	rc = conf_read_all(&conf, file, see, &s);
	buf_putc(&s.text, '\0');
	tap_ok(rc == CONF_FAULT && s.n == 4, "four faults in one reading");
	tap_ok(strstr(text, ":1: 'bogus 1': unknown key\n") &&
		   strstr(text, ":4: 'spool x': ") &&
		   strstr(text, ":5: 'relay-networks 0.0.0.0/0': an open") &&
		   strstr(text, ":6: 'hostname b': given twice\n"),
	    "each with its line");
	tap_same(conf.hostname, STR("mx.example"), "what is good is taken");
}

/* What is somebody's own, however large. */
static void large_networks(void)
{
	char why[512];
	int rc = read_text("relay-networks 10.0.0.0/8 fc00::/7 fe80::/10\n"
			   "relay-networks 2001::/16 ::1 ::ffff:10.0.0.0/104\n"
			   "bare-newline normalize 0.0.0.0/0\n",
	    why, sizeof(why));

	tap_ok(rc == 0, "large, but somebody's: %s", rc == 0 ? "" : why);
}

static void defaults(void)
{
	char why[512];
	struct netaddr a;

	tap_ok(read_text("", why, sizeof(why)) == 0, "an empty file is good");
	tap_ok(conf.hostname.n > 0 && conf.origin.n > 0, "names have defaults");
	tap_ok(conf_has_domain(&conf.local_domains, STR("localhost")) &&
		   conf_has_domain(&conf.local_domains, conf.hostname),
	    "hostname and localhost are local");
	tap_ok(netaddr_parse(STR("127.9.9.9"), &a) == 0 &&
		   conf_has_net(&conf.relay_networks, &a),
	    "loopback may relay");
	tap_ok(netaddr_parse(STR("::1"), &a) == 0 &&
		   conf_has_net(&conf.relay_networks, &a),
	    "and so may ::1");
	tap_ok(conf.mailbox == MAILBOX_MAILDIR &&
		   strcmp(conf.mailbox_path, "~/Maildir") == 0,
	    "~/Maildir");
	tap_ok(conf.message_size_limit == 50u * 1024 * 1024, "50M");
	tap_ok(!conf.users_file && conf.minimum_uid == 1000, "system users");
	tap_ok(conf.forward, "their .forward is followed");
	tap_ok(
	    read_text("forward off\n", why, sizeof(why)) == 0 && !conf.forward,
	    "unless it is not");
}

static void values(void)
{
	char why[512];
	struct netaddr a;
	int rc = read_text("hostname MX.Example.org # ours\n"
			   "local-domains example.org\n"
			   "local-domains B\xc3\xbc"
			   "cher.example\n"
			   "relay-networks none\n"
			   "bare-newline normalize 192.0.2.0/24 2001:db8::/32\n"
			   "mailbox mbox:/var/mail/%u\n"
			   "users file:/etc/postern/users\n"
			   "message-size-limit 10K\n"
			   "command-timeout 2m\n"
			   "   spool\t/a b\n",
	    why, sizeof(why));

	tap_ok(rc == 0, "a whole file: %s", rc == 0 ? "" : why);
	tap_same(conf.hostname, STR("mx.example.org"), "A-labels, lower case");
	tap_ok(conf_has_domain(&conf.local_domains, STR("example.org")) &&
		   conf_has_domain(
		       &conf.local_domains, STR("xn--bcher-kva.example")),
	    "a list over two lines");
	tap_ok(!conf_has_domain(&conf.local_domains, STR("localhost")),
	    "a list that is given replaces the default");
	tap_ok(netaddr_parse(STR("127.0.0.1"), &a) == 0 &&
		   !conf_has_net(&conf.relay_networks, &a),
	    "none is empty");
	tap_ok(netaddr_parse(STR("192.0.2.7"), &a) == 0 &&
		   conf_has_net(&conf.normalize_networks, &a),
	    "normalize");
	tap_ok(conf.mailbox == MAILBOX_MBOX &&
		   strcmp(conf.mailbox_path, "/var/mail/%u") == 0,
	    "mbox");
	tap_ok(conf.users_file &&
		   strcmp(conf.users_file, "/etc/postern/users") == 0,
	    "users file");
	tap_ok(conf.message_size_limit == 10240, "10K");
	tap_ok(conf.command_timeout_s == 120, "2m");
	tap_ok(strcmp(conf.spool, "/a b") == 0, "a path with a space");
	tap_same(conf.origin.n > 0 ? STR("x") : STR(""), STR("x"), "origin");
}

static void hops(void)
{
	char why[512];
	int rc = read_text("smarthost smtps://me@a.example smtp://b.example\n"
			   "route One.example lmtp:/run/x\n"
			   "route two.example smtp://c.example:26\n"
			   "route one.example smtp://d.example\n"
			   "retry 30s 2m\nqueue-lifetime 1d\n"
			   "delay-warning 0\nconcurrency 7\n"
			   "destination-concurrency 3\ndnssec require\n"
			   "resolver [2001:db8::1]:5353\n",
	    why, sizeof(why));

	tap_ok(rc == 0, "hops: %s", rc == 0 ? "" : why);
	tap_ok(conf.smarthost.n == 2, "two smarthosts");
	tap_same(conf.smarthost.v[0].host, STR("a.example"), "the first");
	tap_same(conf.smarthost.v[0].user, STR("me"), "its user");
	tap_same(conf.smarthost.v[1].host, STR("b.example"), "the second");
	tap_ok(conf.routes.n == 3, "three routes");
	tap_same(conf.routes.v[0].domain, STR("one.example"), "lower case");
	tap_same(conf.routes.v[2].domain, STR("one.example"), "again");
	tap_ok(conf.routes.v[1].hop.port == 26, "its port");
	tap_ok(conf.retry.first_s == 30 && conf.retry.longest_s == 120 &&
		   conf.retry.lifetime_s == 86400 && conf.retry.warning_s == 0,
	    "times");
	tap_ok(conf.concurrency == 7 && conf.destination_concurrency == 3,
	    "limits");
	tap_ok(conf.dnssec == DNS_REQUIRE, "dnssec");
	tap_ok(
	    conf.resolver && strcmp(conf.resolver, "[2001:db8::1]:5353") == 0,
	    "resolver");
	tap_ok(read_text("resolver 192.0.2.1\n", why, sizeof(why)) == 0 &&
		   read_text("resolver 2001:db8::1\n", why, sizeof(why)) == 0 &&
		   read_text("resolver 192.0.2.1:53\n", why, sizeof(why)) == 0,
	    "an address alone");
	tap_ok(read_text("", why, sizeof(why)) == 0 && conf.smarthost.n == 0 &&
		   conf.routes.n == 0 && conf.retry.first_s == 300 &&
		   conf.retry.longest_s == 14400 &&
		   conf.retry.lifetime_s == 432000 &&
		   conf.retry.warning_s == 14400 && conf.concurrency == 20 &&
		   conf.destination_concurrency == 5 && !conf.resolver &&
		   conf.dnssec == DNS_AUTO,
	    "defaults of the queue");
}

static void senders(void)
{
	char why[512];
	int rc = read_text("trusted-users alice 1001\ntrusted-users system\n"
			   "sender-map /etc/senders\n"
			   "submission-rate 100/1h 50M/1d\n"
			   "masquerade Me@Isp.Example\n"
			   "masquerade @Work.Example for smtp://b.example\n"
			   "smarthost-for @One.example smtp://c smtp://d\n"
			   "smarthost-for me@two.example smtp://e\n",
	    why, sizeof(why));

	tap_ok(rc == 0, "senders: %s", rc == 0 ? "" : why);
	tap_ok(conf.trusted_users.n == 2 && conf.trusted_users.system &&
		   !conf.trusted_users.everyone,
	    "trusted users");
	tap_ok(conf.submission_rate.messages == 100 &&
		   conf.submission_rate.messages_s == 3600 &&
		   conf.submission_rate.octets == 50 << 20 &&
		   conf.submission_rate.octets_s == 86400,
	    "rates");
	tap_ok(conf.masquerades.n == 2 && conf.masquerades.v[0].every &&
		   !conf.masquerades.v[1].every,
	    "masquerades");
	tap_same(conf.masquerades.v[0].address, STR("Me@isp.example"), "whom");
	tap_same(conf.masquerades.v[1].address, STR("@work.example"), "what");
	tap_same(conf.masquerades.v[1].hop.host, STR("b.example"), "where");
	tap_ok(conf.senders.n == 3, "three hops of senders");
	tap_same(conf.senders.v[1].sender, STR("@one.example"), "a domain");
	tap_same(conf.senders.v[2].sender, STR("me@two.example"), "a sender");
	tap_ok(read_text("trusted-users *\n", why, sizeof(why)) == 0 &&
		   conf.trusted_users.everyone && !conf.trusted_users.system,
	    "everyone");
	tap_ok(read_text("trusted-users none\n", why, sizeof(why)) == 0 &&
		   !conf.trusted_users.everyone && !conf.trusted_users.system &&
		   conf.trusted_users.n == 0,
	    "nobody");
	tap_ok(read_text("", why, sizeof(why)) == 0 &&
		   conf.trusted_users.system && conf.trusted_users.n == 0 &&
		   conf.submission_rate.messages == 0 &&
		   conf.submission_rate.octets == 0 && !conf.sender_map &&
		   conf.masquerades.n == 0 && conf.senders.n == 0,
	    "defaults of senders");
}

/* A file that is too long, or not there, is no empty file. */
static void unreadable(void)
{
	char why[512];
	struct buf b = BUF(why);
	FILE *f = fopen(file, "w");

	for (int i = 0; f && i < CONF_TEXT_MAX; i++)
		fputs("#\n", f);
	if (f)
		fclose(f);
	tap_ok(conf_read(&conf, file, &b) < 0 && b.n > 0, "too long a file");
	buf_clear(&b);
	unlink(file);
	tap_ok(conf_read(&conf, file, &b) < 0 && b.n > 0,
	    "a file that was named and is not there");
}

int main(void)
{
	int fd = mkstemp(file);

	if (fd >= 0)
		close(fd);
	faults();
	all_faults();
	large_networks();
	defaults();
	values();
	hops();
	senders();
	unreadable();
	return tap_done();
}
