/*
 * The certificates and keys of tls(8), and what a handshake needs of them: one
 * context with the pairs of postern.conf, and one for each other name.
 */
#ifndef SYS_TLS_CERTS_H
#define SYS_TLS_CERTS_H

#include "sys/conf.h"

enum { TLS_CERTS_PATH = 4096 };

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* The path that a value of tls-certificate or tls-key names, with its NUL.
 * False when there is no room for it. */
bool tls_certs_path(const char *name, char room[TLS_CERTS_PATH]);

/* Likewise of what certbot(1) leaves under that name in a directory. */
bool tls_certs_in(const char *directory, const char *name, bool key,
    char room[TLS_CERTS_PATH]);

/* Why no handshake is possible with this pair alone, in OpenSSL's words; NULL:
 * it is. */
const char *tls_certs_wrong(
    const struct conf *c, const char *chain, const char *key);

/*
 * Reads them all anew; what was there before stays when nothing good comes of
 * it.  0, or -errno, logged.  One of several that is bad is left out, logged.
 * A handshake with ourselves is made with each pair: a key that belongs to
 * another certificate is found out here, and what handshakes need is in
 * memory before workers are forked.
 */
int tls_certs_load(const struct conf *c);

/* Has a file changed since, or one come to the directory? */
bool tls_certs_changed(const struct conf *c);

/* The context to begin with; NULL: there is none. */
struct ssl_ctx_st *tls_certs_context(void);

/*
 * The key of session tickets (RFC 5077, RFC 8446 4.6.1) becomes a new one; the
 * one before opens the tickets it has closed, for as long as they are good.
 * Before the workers are forked that are to use it.  0 or -errno, logged.
 */
int tls_certs_new_ticket_key(void);

#endif
