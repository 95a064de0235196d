/*
 * The carrier's way to a destination without a message.  Every address of
 * every hop is tried, not only the first that serves, for the others are
 * meant to serve one day.
 */
#include "sys/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "mail/qfile.h"
#include "sys/call.h"
#include "sys/carrier.h"
#include "sys/credentials.h"
#include "sys/guise.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/reach.h"
#include "sys/route.h"

enum { LINE_MAX_ = 2048, FIELD_MAX = 400, WAYS_MAX = 24 };

static struct {
	const struct probe *p;
	struct carrier carrier;
	struct reach reach;
	struct reach_way way;
	struct call call;
	struct parcel parcel;
	char key_text[ROUTE_KEY_MAX], path_text[HOP_PATH_MAX];
	bool told, has_passwords;
} k;

/* --- lines --------------------------------------------------------------- */

static void field(struct buf *b, struct str s)
{
	if (b->n > 0)
		buf_putc(b, '\t');
	buf_escape(b, s, FIELD_MAX);
}

static void put_line(struct buf *b)
{
	buf_putc(b, '\n');
	(void)io_write_all(1, buf_str(b), INT64_MAX);
}

static void print_way(const struct reach_way *w)
{
	static const char *const by_hop[] = { "may", "must", "at-once" };
	static const char *const by_dns[] = { "", "any", "dane" };
	char text[LINE_MAX_], address[NET_TEXT_MAX], digits[8];
	struct buf b = BUF(text), a = BUF(address), port = BUF(digits);
	struct netaddr literal;

	if (!w->hop.unix_socket) {
		netaddr_put(&a, &w->addr);
		buf_u64(&port, w->hop.port);
	}
	field(&b, STR("way"));
	field(&b, hop_literal(&w->hop, &literal) ? STR("") : w->hop.host);
	field(&b, buf_str(&a));
	field(&b, buf_str(&port));
	field(&b, w->hop.kind == HOP_LMTP ? STR("lmtp") : STR("smtp"));
	field(&b, w->hop.unix_socket        ? STR("unix")
		  : w->tls != REACH_TLS_HOP ? str_of(by_dns[w->tls])
					    : str_of(by_hop[w->hop.tls]));
	field(&b, w->secure ? STR("yes") : STR("no"));
	field(&b, w->hop.user);
	put_line(&b);
}

static void print_call(bool open)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	field(&b, STR("call"));
	field(&b, open ? STR("open") : STR("failed"));
	field(&b, str_of(call_level_name(&k.call)));
	field(&b, open ? STR("") : call_status(&k.call));
	field(&b, open ? STR("") : call_text(&k.call));
	put_line(&b);
}

static void print_none(const struct reach_verdict *v)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	field(&b, STR("none"));
	field(&b, v->never ? STR("never") : STR("later"));
	field(&b, str_of(v->status));
	field(&b, str_of(v->text));
	put_line(&b);
}

static void print_dns(const char *word)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	field(&b, STR("dns"));
	field(&b, str_of(word));
	put_line(&b);
}

/* What the hop said of the recipient of the test. */
static void tell(void *arg, unsigned index, enum client_fate fate,
    struct str status, struct str reply, bool said)
{
	char text[LINE_MAX_];
	struct buf b = BUF(text);

	(void)arg;
	(void)said;
	if (index != 0 || k.told)
		return;
	k.told = true;
	field(&b, STR("rcpt"));
	field(&b, fate == CLIENT_LATER   ? STR("later")
		  : fate == CLIENT_NEVER ? STR("never")
					 : STR("taken"));
	field(&b, status);
	field(&b, reply);
	put_line(&b);
}

/* --- the test's message --------------------------------------------------- */

/* The address that mail goes out as; a user that is an address may send. */
static struct str sender_for(struct buf *b)
{
	const struct probe *p = k.p;
	struct masquerade m;

	if (p->sender)
		return str_of(p->sender);
	for (unsigned i = 0; i < k.carrier.nhops; i++)
		if (guise_find(
			p->conf, &k.carrier.hop[i], k.carrier.smarthost, &m) &&
		    m.address.n > 0 && m.address.p[0] != '@')
			return m.address;
	for (unsigned i = 0; i < k.carrier.nhops; i++)
		if (str_find(k.carrier.hop[i].user, '@') <
		    k.carrier.hop[i].user.n)
			return k.carrier.hop[i].user;
	buf_putz(b, "root@");
	buf_put(b, p->conf->origin);
	return buf_str(b);
}

/* The envelope as a file, since that is what is carried. */
static int make_parcel(struct str sender, struct str rcpt)
{
	char text[QFILE_HEAD_MAX + QFILE_RCPT_OCTETS + QFILE_END_OCTETS];
	struct qfile_head head = { .sender = sender, .nrcpt = 1 };
	struct qfile_rcpt r = { .status = QFILE_NEW, .address = rcpt };
	struct qfile_sum sum = { 0 };
	struct buf b = BUF(text);
	uint64_t at;
	int fd = memfd_create("probe", MFD_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	qfile_put_head(&sum, &b, &head);
	at = sum.octets;
	qfile_put_rcpt(&sum, &b, &r);
	qfile_put_end(&sum, &b);
	rc = b.full ? -EMSGSIZE : io_write_file(fd, buf_str(&b));
	if (rc == 0)
		rc = parcel_open(&k.parcel, fd);
	if (rc == 0)
		rc = parcel_add_rcpt(&k.parcel, at);
	return rc;
}

static int prepare_parcel(void)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);
	struct str sender = sender_for(&b), rcpt = str_of(k.p->what);

	/* A provider takes mail for him who sends it. */
	if (str_find(rcpt, '@') == rcpt.n)
		rcpt = sender;
	return make_parcel(sender, rcpt);
}

/* --- the whole ----------------------------------------------------------- */

static void try_way(void)
{
	static const bool wanted[] = { true };
	struct call_party party = { k.carrier.hostname, k.carrier.domain, tell,
		NULL };
	struct masquerade m;
	bool masked =
	    guise_find(k.p->conf, &k.way.hop, k.carrier.smarthost, &m);
	bool open = call_open(&k.call, &k.way, &party) == 0;

	print_call(open);
	if (!open || parcel_dress(&k.parcel, masked ? &m : NULL) < 0)
		return;
	k.told = false;
	k.call.setup.probe = true;
	call_carry(&k.call, &k.parcel, wanted);
	if (!k.told)
		tell(NULL, 0, CLIENT_LATER, call_status(&k.call),
		    call_text(&k.call), false);
	call_close(&k.call);
}

static int look(void)
{
	unsigned n = 0;

	if (reach_begin(&k.reach, &k.carrier) == 0)
		while (n++ < WAYS_MAX && reach_next(&k.reach, &k.way) == 0) {
			print_way(&k.way);
			if (k.p->live)
				try_way();
		}
	if (k.reach.given == 0)
		print_none(&k.reach.verdict);
	if (k.carrier.domain.n > 0)
		print_dns(dns_is_validating() ? "validating" : "insecure");
	return EX_OK;
}

/* A name that everybody knows; that it is not there is an answer too. */
static int look_at_dns(void)
{
	struct dns_addrs a;

	if (dns_addrs(STR("a.root-servers.net"), &a) == DNS_LATER)
		print_dns("silent");
	else
		print_dns(dns_is_validating() ? "validating" : "insecure");
	return EX_OK;
}

static int find_carrier(void)
{
	struct buf key = BUF(k.key_text), room = BUF(k.path_text);
	const struct probe *p = k.p;
	int rc;

	/* a smarthost is where mail goes that has no route of its own */
	rc = route_key(p->conf, str_of(p->sender ? p->sender : ""),
	    strcmp(p->what, "smarthost") == 0 ? STR("postmaster@invalid")
					      : str_of(p->what),
	    &key);
	if (rc == 0)
		route_carrier(p->conf, buf_str(&key), &room, &k.carrier);
	return rc;
}

void probe_prepare(const struct probe *p)
{
	struct stat st;

	/* the service manager hands over what only root may read */
	k.has_passwords = p->live && geteuid() == 0 && p->conf->credentials &&
			  stat(p->conf->credentials, &st) == 0 &&
			  st.st_uid == 0 &&
			  credentials_load(p->conf->credentials) == 0;
}

int probe_run(const struct probe *p)
{
	bool dns = strcmp(p->what, "dns") == 0;

	k.p = p;
	k.call.fd = -1;
	if (dns) {
		k.carrier = (struct carrier){ .domain = STR("."),
			.dns = { p->conf->resolver, p->conf->trust_anchor,
			    p->conf->dnssec } };
	} else if (find_carrier() != 0) {
		log_note(LOGL_ERR, "probe", "not an address");
		return EX_DATAERR;
	}
	if (p->live && !dns && prepare_parcel() < 0) {
		log_note(LOGL_ERR, "probe", "no message for the test");
		return EX_OSERR;
	}
	if (carrier_prepare(&k.carrier, k.has_passwords || !p->live) < 0)
		return EX_OSERR;
	return dns ? look_at_dns() : look();
}
