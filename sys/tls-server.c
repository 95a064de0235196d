/*
 * One connection of OpenSSL's.
 */
#include "sys/tls-server.h"

#ifdef HAVE_OPENSSL
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sys/tls-certs.h"

enum { SHA256_OCTETS = 32 };

struct ssl_st *tls_server_open(int fd)
{
	SSL_CTX *ctx = tls_certs_context();
	SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);

	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_free(ssl);
	return NULL;
}

void tls_server_free(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

/* -EAGAIN, or what became of it. */
static int result(SSL *ssl, int n)
{
	int error = SSL_get_error(ssl, n);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_SYSCALL && errno != 0)
		return -errno;
	return -EPROTO;
}

int tls_server_shake(struct ssl_st *ssl, const char **why)
{
	int n, rc;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(ssl);
	if (n == 1)
		return 0;
	rc = result(ssl, n);
	if (rc == -EAGAIN)
		return rc;
	*why = ERR_reason_error_string(ERR_peek_last_error());
	if (*why == NULL)
		*why = "the connection ended";
	ERR_clear_error();
	return -EPROTO;
}

static struct str sum_of(SSL *ssl, char *room)
{
	struct buf b = { .p = room, .cap = SECURED_CLIENT_MAX };
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	X509 *x = SSL_get0_peer_certificate(ssl);

	if (x == NULL || X509_digest(x, EVP_sha256(), sum, &n) != 1 ||
	    n != SHA256_OCTETS)
		return STR("");
	for (unsigned i = 0; i < n; i++)
		buf_hex(&b, sum[i], 2);
	return buf_str(&b);
}

void tls_server_tell(struct ssl_st *ssl, char *room, struct secured *how)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char *name = SSL_CIPHER_standard_name(cipher);

	*how = (struct secured){ .version = str_of(SSL_get_version(ssl)),
		.cipher = str_of(name ? name : SSL_CIPHER_get_name(cipher)),
		.client = sum_of(ssl, room) };
}

ssize_t tls_server_read(struct ssl_st *ssl, char *to, size_t max)
{
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_read(ssl, to, (int)max);
	return n > 0 ? n : result(ssl, n);
}

ssize_t tls_server_write(struct ssl_st *ssl, struct str s)
{
	int n, rc;

	ERR_clear_error();
	errno = 0;
	n = SSL_write(ssl, s.p, (int)s.n);
	if (n > 0)
		return n;
	rc = result(ssl, n);
	return rc == 0 ? -EPIPE : rc;
}

int tls_server_bye(struct ssl_st *ssl)
{
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_shutdown(ssl);
	return n >= 0 ? 0 : result(ssl, n);
}
#endif
