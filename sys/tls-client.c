/*
 * OpenSSL, for those who call strangers.  The only file that knows it.
 *
 * Without a check it is encryption against listeners: anything from TLS 1.2 on
 * is better than clear text, so weak keys are let pass there.
 */
#include "sys/tls-client.h"

#ifdef HAVE_OPENSSL
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/domain.h"
#include "mail/net.h"
#include "sys/io.h"
#include "sys/log.h"

enum { WHY_MAX = 160, ANY_KEY = 1 /* 1024 bits, SHA-1 */ };

static struct {
	SSL_CTX *ctx;
	SSL *ssl;
	const char *bundle; /* of authorities, NULL: none */
	size_t nbundle;
	bool loaded; /* ... into the context */
	struct buf why;
	char why_text[WHY_MAX];
} tls;

/* Where distributions have their authorities, in one file. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

bool tls_client_is_there(void)
{
	return true;
}

static int failed(const char *what, int rc)
{
	log_errno("tls", what, -rc);
	return rc;
}

/* At hand for later: behind the lock-down there are no files.  What an
 * authority costs to read is not paid by those who need none. */
static int open_authorities(void)
{
	const char *name = getenv(X509_get_default_cert_file_env());
	struct stat st;
	void *at = MAP_FAILED;
	int fd;

	for (size_t i = 0;
	     name == NULL && i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (access(bundles[i], R_OK) == 0)
			name = bundles[i];
	fd = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -EINVAL;
	tls.bundle = at;
	tls.nbundle = (size_t)st.st_size;
	return 0;
}

static int load_authorities(void)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls.ctx);
	BIO *bio;
	X509 *one;
	unsigned n = 0;

	if (tls.loaded)
		return 0;
	if (tls.bundle == NULL || tls.nbundle > INT_MAX)
		return -ENOENT;
	bio = BIO_new_mem_buf(tls.bundle, (int)tls.nbundle);
	if (bio == NULL)
		return -ENOMEM;
	while ((one = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, one) == 1;
		X509_free(one);
	}
	BIO_free(bio);
	ERR_clear_error();
	tls.loaded = n > 0;
	return n > 0 ? 0 : -EINVAL;
}

int tls_client_start(bool authorities)
{
	int rc = 0;

	if (tls.ctx == NULL)
		tls.ctx = SSL_CTX_new(TLS_client_method());
	if (tls.ctx == NULL)
		return failed("start", -ENOMEM);
	SSL_CTX_set_mode(tls.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(tls.ctx, SSL_OP_IGNORE_UNEXPECTED_EOF |
					 SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION);
	if (SSL_CTX_set_min_proto_version(tls.ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_dane_enable(tls.ctx) != 1)
		return failed("start", -EINVAL);
	/* So that nothing is read, or looked for, later. */
	OPENSSL_init_ssl(0, NULL);
	if (tls.bundle == NULL)
		rc = open_authorities();
	if (!authorities)
		return 0;
	if (rc == 0)
		rc = load_authorities();
	return rc < 0 ? failed("known authorities", rc) : 0;
}

struct str tls_client_why(void)
{
	return buf_str(&tls.why);
}

/* What OpenSSL has to say, in printable ASCII. */
static void say_why(const char *before)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	long verdict =
	    tls.ssl == NULL ? X509_V_OK : SSL_get_verify_result(tls.ssl);

	if (tls.ssl != NULL && verdict != X509_V_OK &&
	    SSL_get_verify_mode(tls.ssl) != SSL_VERIFY_NONE)
		reason = X509_verify_cert_error_string(verdict);
	tls.why = BUF(tls.why_text);
	buf_putz(&tls.why, before);
	if (reason != NULL) {
		buf_putz(&tls.why, ": ");
		buf_escape(&tls.why, str_of(reason), WHY_MAX / 2);
	}
	ERR_clear_error();
}

/* --- whom to expect ------------------------------------------------------ */

static bool expect_name(const char *name)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(tls.ssl);
	struct netaddr a;

	SSL_set_verify(tls.ssl, SSL_VERIFY_PEER, NULL);
	if (netaddr_parse(str_of(name), &a) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(p, name) == 1;
	SSL_set_hostflags(tls.ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls.ssl, name) == 1;
}

/* RFC 7672 3.1.1: with usage 3 neither the name nor the date counts. */
static bool expect_dane(const struct tls_wish *w, const char *name)
{
	char other[DOMAIN_MAX + 1] = "";
	unsigned usable = 0;

	SSL_set_verify(tls.ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(tls.ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_dane_enable(tls.ssl, name) != 1)
		return false;
	SSL_dane_set_flags(tls.ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (w->other.n > 0 && w->other.n < sizeof(other)) {
		memcpy(other, w->other.p, w->other.n);
		if (SSL_add1_host(tls.ssl, other) != 1)
			return false;
	}
	for (unsigned i = 0; i < w->ntlsa; i++) {
		const struct rdata_tlsa *t = &w->tlsa[i];

		if (SSL_dane_tlsa_add(tls.ssl, t->usage, t->selector,
			t->matching, t->data, t->ndata) > 0)
			usable++;
	}
	return usable > 0;
}

/* A name for SNI, not an address (RFC 6066 3). */
static bool is_for_sni(const char *name)
{
	struct netaddr a;

	return name[0] != '\0' && netaddr_parse(str_of(name), &a) != 0;
}

static bool prepare(const struct tls_wish *w)
{
	char name[DOMAIN_MAX + 1] = "";

	if (w->name.n >= sizeof(name) || str_find(w->name, '\0') < w->name.n)
		return false;
	if (w->name.n > 0)
		memcpy(name, w->name.p, w->name.n);
	if (is_for_sni(name) && SSL_set_tlsext_host_name(tls.ssl, name) != 1)
		return false;
	switch (w->check) {
	case TLS_CHECK_NONE:
		SSL_set_verify(tls.ssl, SSL_VERIFY_NONE, NULL);
		SSL_set_security_level(tls.ssl, ANY_KEY);
		return true;
	case TLS_CHECK_NAME:
		return name[0] != '\0' && expect_name(name);
	case TLS_CHECK_DANE:
		return expect_dane(w, name);
	}
	return false;
}

/* --- the handshake ------------------------------------------------------- */

static short events_of(int error)
{
	return error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
}

static int shake(int fd, int64_t deadline_ms)
{
	for (;;) {
		int n, error, rc;

		ERR_clear_error();
		errno = 0;
		n = SSL_connect(tls.ssl);
		if (n == 1)
			return 0;
		error = SSL_get_error(tls.ssl, n);
		if (error != SSL_ERROR_WANT_READ &&
		    error != SSL_ERROR_WANT_WRITE)
			return SSL_get_verify_mode(tls.ssl) !=
					   SSL_VERIFY_NONE &&
				       SSL_get_verify_result(tls.ssl) !=
					   X509_V_OK
				   ? -EACCES
				   : -EPROTO;
		rc = events_of(error) == POLLIN
			 ? io_wait_read(fd, deadline_ms)
			 : io_wait_write(fd, deadline_ms);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
}

/* OpenSSL has refused whatever was not good; this is for our own mistakes. */
static bool is_checked(const struct tls_wish *w)
{
	if (w->check == TLS_CHECK_NONE)
		return true;
	if (SSL_get_verify_result(tls.ssl) != X509_V_OK)
		return false;
	return w->check != TLS_CHECK_DANE ||
	       SSL_get0_dane_authority(tls.ssl, NULL, NULL) >= 0;
}

int tls_client_begin(int fd, const struct tls_wish *wish, int64_t deadline_ms)
{
	int rc = 0;

	ERR_clear_error();
	tls.ssl = tls.ctx == NULL ? NULL : SSL_new(tls.ctx);
	if (tls.ssl == NULL || SSL_set_fd(tls.ssl, fd) != 1 || !prepare(wish))
		rc = -EINVAL;
	if (rc == 0)
		rc = shake(fd, deadline_ms);
	if (rc == 0 && !is_checked(wish))
		rc = -EACCES;
	if (rc == 0)
		return 0;
	say_why(rc == -EACCES      ? "not who it must be"
		: rc == -ETIMEDOUT ? "TLS handshake: time-out"
				   : "TLS handshake");
	SSL_free(tls.ssl);
	tls.ssl = NULL;
	return rc;
}

/* --- afterwards ---------------------------------------------------------- */

/* The chain that the other end has shown, as SSL_connect would verify it. */
static bool verify(X509_STORE_CTX *ctx, const char *name)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls.ssl);
	X509_VERIFY_PARAM *p;
	struct netaddr a;

	if (chain == NULL || sk_X509_num(chain) < 1 ||
	    X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(tls.ctx),
		sk_X509_value(chain, 0), chain) != 1 ||
	    X509_STORE_CTX_set_default(ctx, "ssl_server") != 1)
		return false;
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_auth_level(
	    p, SSL_CTX_get_security_level(tls.ctx));
	X509_VERIFY_PARAM_set_hostflags(
	    p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (netaddr_parse(str_of(name), &a) == 0) {
		if (X509_VERIFY_PARAM_set1_ip_asc(p, name) != 1)
			return false;
	} else if (X509_VERIFY_PARAM_set1_host(p, name, 0) != 1) {
		return false;
	}
	return X509_verify_cert(ctx) == 1;
}

int tls_client_vouch(struct str s)
{
	char name[DOMAIN_MAX + 1] = "";
	X509_STORE_CTX *ctx;
	int rc = load_authorities();

	if (rc < 0)
		return rc;
	if (tls.ssl == NULL || s.n == 0 || s.n >= sizeof(name) ||
	    str_find(s, '\0') < s.n)
		return -EINVAL;
	memcpy(name, s.p, s.n);
	ctx = X509_STORE_CTX_new();
	if (ctx == NULL)
		return -ENOMEM;
	rc = verify(ctx, name) ? 0 : -EACCES;
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

/* --- octets -------------------------------------------------------------- */

static ssize_t result(int n, short *events)
{
	int error;

	if (n > 0)
		return n;
	error = SSL_get_error(tls.ssl, n);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		*events = events_of(error);
		return -EAGAIN;
	}
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_SYSCALL && errno != 0)
		return -errno;
	return error == SSL_ERROR_SYSCALL ? 0 : -EPROTO;
}

ssize_t tls_client_read(char *to, size_t max, short *events)
{
	ERR_clear_error();
	errno = 0;
	return result(
	    SSL_read(tls.ssl, to, max > 65536 ? 65536 : (int)max), events);
}

ssize_t tls_client_write(struct str s, short *events)
{
	ssize_t n;

	ERR_clear_error();
	errno = 0;
	n = result(
	    SSL_write(tls.ssl, s.p, s.n > 65536 ? 65536 : (int)s.n), events);
	return n == 0 ? -EPIPE : n;
}

void tls_client_end(void)
{
	if (tls.ssl == NULL)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(tls.ssl);
	SSL_free(tls.ssl);
	tls.ssl = NULL;
}

/* --- for SCRAM ----------------------------------------------------------- */

static int hash(struct str s, unsigned char *out)
{
	return EVP_Digest(s.p, s.n, out, NULL, EVP_sha256(), NULL) == 1
		   ? 0
		   : -EINVAL;
}

static int hmac(struct str key, struct str s, unsigned char *out)
{
	return HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)s.p,
		   s.n, out, NULL) != NULL
		   ? 0
		   : -EINVAL;
}

static int pbkdf2(struct str password, struct str salt, unsigned iterations,
    unsigned char *out)
{
	return PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
		   (const unsigned char *)salt.p, (int)salt.n, (int)iterations,
		   EVP_sha256(), SASL_HASH, out) == 1
		   ? 0
		   : -EINVAL;
}

const struct sasl_crypto *tls_client_crypto(void)
{
	static const struct sasl_crypto crypto = { hash, hmac, pbkdf2 };

	return &crypto;
}
#endif
