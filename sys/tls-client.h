/*
 * TLS as a client: OpenSSL, 1.2 or newer, over a non-blocking socket.  How
 * sure the other end must be is said before; whether it was is said after.
 * One connection at a time.
 */
#ifndef SYS_TLS_CLIENT_H
#define SYS_TLS_CLIENT_H

#include <sys/types.h>

#include "mail/rdata.h"
#include "mail/sasl.h"
#include "mail/str.h"

enum tls_check {
	TLS_CHECK_NONE, /* whoever it is */
	TLS_CHECK_NAME, /* a certificate for `name` from a known authority */
	TLS_CHECK_DANE  /* as the records say, RFC 7672 */
};

struct tls_wish {
	enum tls_check check;
	struct str name;  /* for SNI and the certificate; may be an address */
	struct str other; /* DANE: another name that is good, or empty */
	const struct rdata_tlsa *tlsa; /* DANE: usable ones */
	unsigned ntlsa;
};

/* Is TLS in this build? */
bool tls_client_is_there(void);

/* Before the lock-down; reads the known authorities if there will be a
 * TLS_CHECK_NAME, else keeps them at hand.  0, or -errno, logged; -ENOTSUP
 * when it is not there. */
int tls_client_start(bool authorities);

/*
 * The handshake, until deadline_ms of CLOCK_MONOTONIC.  0, or -errno: -EPROTO
 * when the other end speaks no TLS that is good enough, -EACCES when it is not
 * who it must be; tls_client_why says more, until the next call.
 */
int tls_client_begin(int fd, const struct tls_wish *wish, int64_t deadline_ms);
struct str tls_client_why(void);

/*
 * Of a connection that was begun without a check: is the other end whom a
 * known authority calls `name`, which may be an address?  0; -EACCES: it is not; or -errno: that cannot
 * be told here.
 */
int tls_client_vouch(struct str name);

/* Octets; 0 at the end, however it came; -EAGAIN, then *events is what to wait
 * for with poll(2); or -errno. */
ssize_t tls_client_read(char *to, size_t max, short *events);
ssize_t tls_client_write(struct str s, short *events);

/* Says good-bye if it can be said at once, and forgets the connection. */
void tls_client_end(void);

/* For SCRAM; NULL when it is not there. */
const struct sasl_crypto *tls_client_crypto(void);

#endif
