/*
 * The host of an SMTP session (struct session_host) in smtpd: lookups and
 * messages by way of sys/courier and sys/custody, one log line for each
 * recipient and each refused command.
 */
#ifndef SYS_RECEPTION_H
#define SYS_RECEPTION_H

#include "mail/session.h"
#include "sys/conf.h"
#include "sys/custody.h"
#include "sys/log.h"
#include "sys/peer.h"

enum { RECEPTION_USER_MAX = 64 };

/*
 * What the accept loop hears of a local session: one octet before each
 * message, which it answers, and the size (uint64_t) of each that was taken.
 */
enum reception_count {
	RECEPTION_GO = 'g',
	RECEPTION_MESSAGES = 'm', /* too many */
	RECEPTION_OCTETS = 'o'    /* too many */
};

struct reception {
	const struct conf *conf;
	struct peer peer;
	int in; /* the client's octets come from here */
	struct session *session;
	struct session_setup set;
	char user[RECEPTION_USER_MAX]; /* set.user points here */
	bool counted;                  /* by the accept loop */
	bool knows_user;               /* ... and there may be no name */
	size_t ngranted;               /* the reverse-path that was good */
	char granted[ADDR_TEXT_MAX];
	struct custody custody; /* of the message at hand */
};

/* Fills in *h to serve r->session; conf, peer, in and set are given. */
void reception_host(struct reception *r, struct session_host *h);

/* peer=192.0.2.1, or uid=1000, as a field of a log line. */
void reception_put_peer(struct log *l, const struct reception *r);

/* How a handshake ended. */
void reception_log_tls(const struct reception *r, const struct secured *how);

#endif
