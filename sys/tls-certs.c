/*
 * OpenSSL's contexts.  The first one is for whoever asks for no name, or for
 * one that no certificate has; SNI (RFC 6066 3) chooses among the others.
 */
#include "sys/tls-certs.h"

#ifdef HAVE_OPENSSL
#include <dirent.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"
#include "sys/text.h"

enum {
	PATH_ROOM = TLS_CERTS_PATH,
	NAMES_MAX = 512,     /* certificates of other names */
	ROUNDS_MAX = 20,     /* of a handshake with ourselves */
	TICKET_S = 2 * 3600, /* how long a ticket is good */
	READ_AHEAD = 64 * 1024,
	TICKET_NAME = 16,
	TICKET_KEY = 32
};

/* Perfect forward secrecy and AEAD; TLS 1.3 has no other. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct certs {
	SSL_CTX *first;
	unsigned n;
	SSL_CTX *named[NAMES_MAX];
};

struct ticket_key {
	unsigned char name[TICKET_NAME], aes[TICKET_KEY], mac[TICKET_KEY];
};

static struct {
	struct certs now;
	struct text_mark pairs[2 * CONF_PAIRS_MAX];
	struct text_mark directory, one[NAMES_MAX];
	unsigned none;
	struct ticket_key key[2]; /* the new one, the one before */
} all;

static int complain(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	struct log l;

	log_begin(&l, LOGL_ERR, "certificate");
	log_str(&l, "what", str_of(what));
	log_str(&l, "error", str_of(reason ? reason : "cannot be used"));
	log_end(&l);
	ERR_clear_error();
	return -EINVAL;
}

bool tls_certs_path(const char *name, char room[PATH_ROOM])
{
	static const struct str scheme = { "credential:", 11 };
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	struct buf b = { .p = room, .cap = PATH_ROOM };

	/* a file of systemd's */
	if (str_starts(str_of(name), scheme)) {
		buf_putz(&b, directory ? directory : "/nowhere");
		buf_putc(&b, '/');
		name += scheme.n;
	}
	buf_putz(&b, name);
	buf_putc(&b, '\0');
	return !b.full;
}

bool tls_certs_in(
    const char *directory, const char *name, bool key, char room[PATH_ROOM])
{
	struct buf b = { .p = room, .cap = PATH_ROOM };

	buf_putz(&b, directory);
	buf_putc(&b, '/');
	buf_putz(&b, name);
	buf_putc(&b, '/');
	buf_putz(&b, key ? "privkey.pem" : "fullchain.pem");
	buf_putc(&b, '\0');
	return !b.full;
}

/* --- contexts ------------------------------------------------------------ */

/* Of the names that certificates have the first good one is taken. */
static int choose(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)arg;
	if (name == NULL ||
	    X509_check_host(
		SSL_CTX_get0_certificate(all.now.first), name, 0, 0, NULL) == 1)
		return SSL_TLSEXT_ERR_OK;
	for (unsigned i = 0; i < all.now.n; i++)
		if (X509_check_host(SSL_CTX_get0_certificate(all.now.named[i]),
			name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, all.now.named[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

static bool init_ticket(const struct ticket_key *k, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(
		   cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, enc) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: as it is; 2: good, and a new one is wanted; 0: none of ours. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	(void)ssl;
	if (enc) {
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1 ||
		    !init_ticket(&all.key[0], iv, cipher, mac, 1))
			return -1;
		memcpy(name, all.key[0].name, TICKET_NAME);
		return 1;
	}
	for (int i = 0; i < 2; i++)
		if (memcmp(name, all.key[i].name, TICKET_NAME) == 0)
			return init_ticket(&all.key[i], iv, cipher, mac, 0)
				   ? 1 + i
				   : -1;
	return 0;
}

/* A certificate of the client's is looked at, never a reason to refuse. */
static int any_client(int good, X509_STORE_CTX *x)
{
	(void)good;
	(void)x;
	return 1;
}

static SSL_CTX *new_context(const struct conf *c)
{
	static const unsigned char id[] = "postern";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_S);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	SSL_CTX_set_tlsext_servername_callback(ctx, choose);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	if (c->tls_ask_certificate)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, any_client);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, ciphers) == 1 &&
	    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* --- a handshake with ourselves ------------------------------------------ */

static bool shake_hands(SSL *server, SSL *client)
{
	BIO *a = NULL, *b = NULL;

	if (BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		return false;
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < ROUNDS_MAX; i++) {
		int c = SSL_do_handshake(client);
		int s = SSL_do_handshake(server);

		if (c == 1 && s == 1)
			return true;
		if ((c != 1 &&
			SSL_get_error(client, c) != SSL_ERROR_WANT_READ) ||
		    (s != 1 && SSL_get_error(server, s) != SSL_ERROR_WANT_READ))
			return false;
	}
	return false;
}

static bool works(SSL_CTX *ctx)
{
	SSL_CTX *other = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(ctx), *client = other ? SSL_new(other) : NULL;
	bool good =
	    server != NULL && client != NULL && shake_hands(server, client);

	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(other);
	return good;
}

/* --- files --------------------------------------------------------------- */

/* A key that others may read is no secret, and yet better than none. */
static void look_at_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 007) != 0)
		log_note(LOGL_WARNING, "key-is-readable", path);
}

const char *tls_certs_wrong(
    const struct conf *c, const char *chain, const char *key)
{
	SSL_CTX *alone;
	const char *reason;
	bool good;

	ERR_clear_error();
	alone = new_context(c);
	good = alone != NULL &&
	       SSL_CTX_use_certificate_chain_file(alone, chain) == 1 &&
	       SSL_CTX_use_PrivateKey_file(alone, key, SSL_FILETYPE_PEM) == 1 &&
	       works(alone);
	reason = good ? NULL : ERR_reason_error_string(ERR_peek_last_error());

	SSL_CTX_free(alone);
	return good || reason ? reason : "cannot be used";
}

/* Each pair alone is tried first: a context takes one of each kind. */
static bool add_pair(
    const struct conf *c, SSL_CTX *ctx, const char *chain, const char *key)
{
	if (tls_certs_wrong(c, chain, key) ||
	    SSL_CTX_use_certificate_chain_file(ctx, chain) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		(void)complain(chain);
		return false;
	}
	look_at_mode(key);
	return true;
}

static unsigned load_pairs(const struct conf *c, SSL_CTX *ctx)
{
	char chain[PATH_ROOM], key[PATH_ROOM];
	unsigned good = 0;

	for (unsigned i = 0; i < c->tls_certificates.n; i++) {
		const char *name = c->tls_certificates.v[i];

		if (tls_certs_path(name, chain) &&
		    tls_certs_path(
			i < c->tls_keys.n ? c->tls_keys.v[i] : name, key))
			good += add_pair(c, ctx, chain, key);
	}
	return good;
}

/* The directory's entries in an order that stays: certbot(1)'s live/. */
static void load_directory(const struct conf *c, struct certs *to)
{
	char chain[PATH_ROOM], key[PATH_ROOM];
	struct dirent **list;
	int n = scandir(c->tls_directory, &list, NULL, alphasort);

	if (n < 0)
		log_errno("certificate", c->tls_directory, errno);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		SSL_CTX *ctx = NULL;

		if (name[0] != '.' && to->n < NAMES_MAX &&
		    tls_certs_in(c->tls_directory, name, false, chain) &&
		    tls_certs_in(c->tls_directory, name, true, key) &&
		    access(chain, F_OK) == 0)
			ctx = new_context(c);
		if (ctx && add_pair(c, ctx, chain, key))
			to->named[to->n++] = ctx;
		else
			SSL_CTX_free(ctx);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void forget(struct certs *c)
{
	SSL_CTX_free(c->first);
	for (unsigned i = 0; i < c->n; i++)
		SSL_CTX_free(c->named[i]);
	memset(c, 0, sizeof(*c));
}

int tls_certs_load(const struct conf *c)
{
	static struct certs next;
	SSL_CTX *ctx = new_context(c);

	(void)tls_certs_changed(c); /* takes the marks, before it reads */
	memset(&next, 0, sizeof(next));
	if (ctx == NULL)
		return complain("start");
	if (load_pairs(c, ctx) > 0)
		next.first = ctx;
	else
		SSL_CTX_free(ctx);
	if (c->tls_directory)
		load_directory(c, &next);
	if (next.first == NULL && next.n > 0) {
		next.first = next.named[0];
		SSL_CTX_up_ref(next.first);
	}
	if (next.first == NULL) {
		log_note(LOGL_ERR, "certificate", "none that can be used");
		return -ENOENT;
	}
	forget(&all.now);
	all.now = next;
	return 0;
}

static bool look_again(struct text_mark *m, const char *path)
{
	struct text_mark now;
	bool same;

	text_mark(&now, path);
	same = text_mark_eq(&now, m);
	*m = now;
	return !same;
}

static bool directory_changed(const struct conf *c)
{
	char path[PATH_ROOM];
	struct dirent **list;
	int n = scandir(c->tls_directory, &list, NULL, alphasort);
	bool changed = look_again(&all.directory, c->tls_directory);

	for (int i = 0; i < n; i++) {
		if (i < NAMES_MAX && tls_certs_in(c->tls_directory,
					 list[i]->d_name, false, path))
			changed = look_again(&all.one[i], path) || changed;
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return changed;
}

bool tls_certs_changed(const struct conf *c)
{
	const struct conf_files *of[] = { &c->tls_certificates, &c->tls_keys };
	char path[PATH_ROOM];
	bool changed = false;

	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < of[k]->n; i++)
			if (tls_certs_path(of[k]->v[i], path))
				changed =
				    look_again(
					&all.pairs[k * CONF_PAIRS_MAX + i],
					path) ||
				    changed;
	if (c->tls_directory)
		changed = directory_changed(c) || changed;
	return changed;
}

struct ssl_ctx_st *tls_certs_context(void)
{
	return all.now.first;
}

int tls_certs_new_ticket_key(void)
{
	static bool first = true;
	struct ticket_key k[2];

	if (RAND_bytes((unsigned char *)k, sizeof(k)) != 1)
		return complain("chance");
	/* never one of zeros: it would open what a stranger has closed */
	all.key[1] = first ? k[1] : all.key[0];
	all.key[0] = k[0];
	first = false;
	return 0;
}
#endif
