/*
 * dnsq [-r RESOLVER] [-t ANCHOR] [-p auto|require|off] [-n HOSTNAME]
 *	mx|addrs|tlsa|reach NAME...
 *
 * What sys/dns and sys/reach find, a line for each record and way, for
 * scripts.  reach: "hop:URL" is a configured next hop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/dns.h"
#include "sys/log.h"
#include "sys/reach.h"

static const char *const answers[] = { "ok", "none", "no-name", "later",
	"null" };
static struct carrier carrier;

static void print(struct str s)
{
	printf(" %.*s", (int)s.n, s.p);
}

static void print_addr(const struct netaddr *a)
{
	char text[NET_TEXT_MAX];
	struct buf b = BUF(text);

	netaddr_put(&b, a);
	print(buf_str(&b));
}

static void show_mx(struct str name)
{
	static struct dns_mx mx;
	enum dns_answer e = dns_mx(name, &mx);

	printf("%s%s", answers[e], mx.secure ? " secure" : "");
	for (unsigned i = 0; e == DNS_OK && i < mx.n; i++) {
		printf(" %u", mx.v[i].preference);
		print(mx.v[i].host);
	}
	putchar('\n');
}

static void show_addrs(struct str name)
{
	static struct dns_addrs a;
	enum dns_answer e = dns_addrs(name, &a);

	printf("%s%s", answers[e], a.secure ? " secure" : "");
	for (unsigned i = 0; e == DNS_OK && i < a.n; i++)
		print_addr(&a.v[i]);
	if (e == DNS_OK)
		print(a.canon);
	putchar('\n');
}

static void show_tlsa(struct str name)
{
	static struct dns_tlsa t;
	enum dns_answer e = dns_tlsa(name, 25, &t);

	printf("%s%s", answers[e], t.secure ? " secure" : "");
	for (unsigned i = 0; e == DNS_OK && i < t.n; i++)
		printf(" %u/%u/%u/%u", t.v[i].usage, t.v[i].selector,
		    t.v[i].matching, t.v[i].ndata);
	putchar('\n');
}

static void show_way(const struct reach_way *w)
{
	static const char *const tls[] = { "hop", "any", "dane" };

	printf("way");
	print(w->hop.host);
	if (!w->hop.unix_socket)
		print_addr(&w->addr);
	printf(" %u %s tls=%s base=%.*s", w->hop.port,
	    w->secure ? "secure" : "insecure", tls[w->tls], (int)w->base.n,
	    w->base.p);
	for (unsigned i = 0; i < w->ntlsa; i++)
		printf(" %u/%u/%u", w->tlsa[i].usage, w->tlsa[i].selector,
		    w->tlsa[i].matching);
	putchar('\n');
}

static void show_reach(struct str name)
{
	static struct reach r;
	struct reach_way w;
	const char *why = "?";
	int e;

	carrier.domain = name;
	carrier.nhops = 0;
	if (str_starts(name, STR("hop:"))) {
		carrier.domain = str_at("", 0);
		carrier.nhops = 1;
		if (hop_parse(str_skip(name, 4), &carrier.hop[0], &why) != 0) {
			printf("bad hop: %s\n", why);
			return;
		}
	}
	e = reach_begin(&r, &carrier);
	while (e == 0 && (e = reach_next(&r, &w)) == 0)
		show_way(&w);
	if (r.given == 0)
		printf("%s %s %s\n", r.verdict.never ? "never" : "later",
		    r.verdict.status, r.verdict.text);
}

static void show(const char *what, struct str name)
{
	if (strcmp(what, "mx") == 0)
		show_mx(name);
	else if (strcmp(what, "addrs") == 0)
		show_addrs(name);
	else if (strcmp(what, "tlsa") == 0)
		show_tlsa(name);
	else
		show_reach(name);
}

static enum dns_policy policy(const char *s)
{
	return *s == 'o' ? DNS_OFF : *s == 'r' ? DNS_REQUIRE : DNS_AUTO;
}

int main(int argc, char **argv)
{
	struct dns_setup *setup = &carrier.dns;
	int option, e;

	carrier.hostname = STR("self.example");
	while ((option = getopt(argc, argv, "r:t:p:n:")) != -1)
		switch (option) {
		case 'r':
			setup->resolver = optarg;
			break;
		case 't':
			setup->trust_anchor = optarg;
			break;
		case 'p':
			setup->policy = policy(optarg);
			break;
		case 'n':
			carrier.hostname = str_of(optarg);
			break;
		default:
			return 64;
		}
	if (argc - optind < 2)
		return 64;
	e = dns_start(setup);
	if (e != 0)
		printf("start %d\n", e);
	if (reach_start() != 0)
		return 71;
	for (int i = optind + 1; i < argc; i++)
		show(argv[optind], str_of(argv[i]));
	dns_end();
	return 0;
}
