/*
 * TLS as a server, 1.2 or newer, over non-blocking sockets; many connections
 * at once.  The contexts are those of sys/tls-certs.h.
 */
#ifndef SYS_TLS_SERVER_H
#define SYS_TLS_SERVER_H

#include <sys/types.h>

#include "mail/secured.h"

struct ssl_st; /* OpenSSL's SSL */

/* Nothing of the connection's is read yet.  NULL: no memory, or no
 * certificate. */
struct ssl_st *tls_server_open(int fd);
void tls_server_free(struct ssl_st *ssl);

/* 0: done; -EAGAIN: not yet; -EPROTO: never, and *why tells (a constant). */
int tls_server_shake(struct ssl_st *ssl, const char **why);

/* After it: version, cipher and certificate; views that live as long as the
 * connection, and into `room` of SECURED_CLIENT_MAX octets. */
void tls_server_tell(struct ssl_st *ssl, char *room, struct secured *how);

/*
 * Octets; -EAGAIN: the socket is not ready; or -errno.  Reading, 0 is the
 * end that the client has said himself; an end that just comes is -EPROTO.
 * What is to be written must be the same until it is.
 */
ssize_t tls_server_read(struct ssl_st *ssl, char *to, size_t max);
ssize_t tls_server_write(struct ssl_st *ssl, struct str s);

/* Says that nothing more is written: 0, -EAGAIN, or -errno. */
int tls_server_bye(struct ssl_st *ssl);

#endif
