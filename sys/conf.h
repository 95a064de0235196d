/*
 * postern.conf(5): "key value..." per line.  Absent or empty, it is a working
 * local mail system.
 */
#ifndef SYS_CONF_H
#define SYS_CONF_H

#include <sys/types.h>

#include "mail/hop.h"
#include "mail/net.h"
#include "mail/retry.h"
#include "mail/str.h"
#include "sys/dns.h"

enum {
	CONF_TEXT_MAX = 64 * 1024, /* octets of the file */
	CONF_LIST_MAX = 256,       /* entries of one list key */
	CONF_HOPS_MAX = 16,        /* next hops of one destination */
	CONF_ROUTES_MAX = 256,
	CONF_PAIRS_MAX = 8, /* certificates, of one name each kind of key */
	CONF_HOST_MAX = 256,
	CONF_MASQUERADES_MAX = 32,
	CONF_SENDERS_MAX = 128 /* next hops of smarthost-for */
};

enum conf_mailbox { MAILBOX_MAILDIR, MAILBOX_MBOX, MAILBOX_LMTP };

/* What a listener is for: it has a name, or a port that tells. */
enum conf_service {
	SERVICE_SMTP,        /* 25 */
	SERVICE_SUBMISSION,  /* 587 */
	SERVICE_SUBMISSIONS, /* 465: TLS first */
	SERVICE_NONE
};

struct conf_files {
	unsigned n;
	const char *v[CONF_PAIRS_MAX]; /* absolute, or credential:NAME */
};

struct conf_domains {
	unsigned n;
	struct str v[CONF_LIST_MAX]; /* A-labels in lower case */
};

struct conf_nets {
	unsigned n;
	struct net v[CONF_LIST_MAX];
};

struct conf_hops {
	unsigned n;
	struct hop v[CONF_HOPS_MAX]; /* in order of preference */
};

/* Of the same domain: in order of preference. */
struct conf_routes {
	unsigned n;
	struct {
		struct str domain; /* A-label in lower case */
		struct hop hop;
	} v[CONF_ROUTES_MAX];
};

/* Whose reverse-paths are believed. */
struct conf_trust {
	bool everyone, system;
	unsigned n;
	struct str v[CONF_LIST_MAX]; /* names and uids */
};

/* So many, or so many octets, in a time; 0: no limit. */
struct conf_rate {
	uint64_t messages, octets;
	unsigned messages_s, octets_s;
};

/* What senders become on the way out; `every`: over any smarthost. */
struct conf_masquerades {
	unsigned n;
	struct {
		struct str address; /* local@domain or @domain */
		bool every;
		struct hop hop;
	} v[CONF_MASQUERADES_MAX];
};

/* Of the same sender: in order of preference. */
struct conf_senders {
	unsigned n;
	struct {
		struct str sender; /* local@domain or @domain */
		struct hop hop;
	} v[CONF_SENDERS_MAX];
};

/* Views live as long as the struct; constant paths are NUL-terminated. */
struct conf {
	struct str hostname; /* A-label */
	struct str origin;
	struct conf_domains local_domains, relay_domains;
	struct conf_nets relay_networks, proxy_networks, normalize_networks;
	enum conf_mailbox mailbox;
	const char *mailbox_path; /* with ~ %u %d; LMTP: the socket */
	const char *users_file;   /* NULL: NSS */
	const char *root_mailbox;
	const char *aliases;
	bool srs; /* foreign senders are rewritten when an alias leads away */
	const char *srs_secret;
	const char *relay_recipients; /* NULL: none are checked */
	const char *spool, *run_directory;
	uint64_t message_size_limit; /* octets */
	unsigned recipient_limit;
	unsigned connection_limit, source_limit, local_connection_limit;
	unsigned command_timeout_s; /* RFC 5321 4.5.3.2.7 */
	unsigned minimum_uid;       /* mailboxes of ids below: never */
	/* local submission */
	struct conf_trust trusted_users;
	const char *sender_map; /* NULL: none */
	struct conf_rate submission_rate;
	bool forward;             /* follow ~/.forward */
	bool commands;            /* |command, by postern-command(8) */
	const char *command_user; /* for those of aliases; NULL: none */
	/* mail for other hosts */
	struct conf_hops smarthost;
	struct conf_routes routes;
	struct conf_masquerades masquerades;
	struct conf_senders senders;
	const char *credentials; /* NULL: none given */
	struct retry retry;
	unsigned concurrency, destination_concurrency;
	enum dns_policy dnssec;
	const char *resolver;     /* NULL: /etc/resolv.conf */
	const char *trust_anchor; /* NULL: the distribution's */
	/* TLS of those who call us */
	struct conf_files tls_certificates;
	struct conf_files tls_keys; /* none: with the certificates */
	const char *tls_directory;  /* NULL: one name only */
	bool tls_ask_certificate;
	unsigned require_tls; /* a bit per enum conf_service */
	/* storage: everything above points in here */
	struct buf room;
	char text[2 * CONF_TEXT_MAX];
};

/*
 * Reads `path` (NULL: $POSTERN_CONF, then /etc/postern/postern.conf; only
 * that default may be absent).  0; CONF_FAULT with `why` holding
 * "path:line: what is wrong"; -errno when it could not be read (`why` is
 * set too).
 */
enum { CONF_FAULT = 1 };
int conf_read(struct conf *c, const char *path, struct buf *why);

/* The same, but every fault that there is goes to `each`, one at a time. */
int conf_read_all(struct conf *c, const char *path,
    void (*each)(void *arg, struct str text), void *arg);

/* The path that conf_read(path) would read. */
const char *conf_path(const char *path);

/* `domain` (A-label, lower case) is one of them. */
bool conf_has_domain(const struct conf_domains *d, struct str domain);
bool conf_has_net(const struct conf_nets *n, const struct netaddr *a);

/* The service of a name (SERVICE_NONE: none that we know), of a port. */
enum conf_service conf_service(struct str name);
enum conf_service conf_service_of_port(unsigned short port);

/* Is there a certificate, so that TLS may be offered? */
bool conf_offers_tls(const struct conf *c);

#endif
