/*
 * An address of ours that stands for a foreign sender is worth something only
 * where bounces find the way back: at a domain of ours that others can look
 * up.  Without one, and for an address that would be too long, the sender
 * stays: mail that may be refused is better than mail that is lost.
 *
 * The way back asks for the hash and the age, and not for a null reverse-path:
 * anybody can claim that one, and a reply that comes without it is as welcome
 * as to the sender himself.
 */
#include "sys/rewrite.h"

#include <errno.h>
#include <time.h>

#include "mail/addr.h"
#include "sys/log.h"
#include "sys/secret.h"

static bool is_public(const struct conf *c, struct str domain)
{
	return str_find(domain, '.') < domain.n &&
	       conf_has_domain(&c->local_domains, domain);
}

/* Where our addresses are; empty: nowhere. */
static struct str our_domain(const struct conf *c)
{
	if (is_public(c, c->origin))
		return c->origin;
	return is_public(c, c->hostname) ? c->hostname : STR("");
}

static bool is_foreign(const struct conf *c, const struct addr *from)
{
	struct str domain = addr_domain(from);

	return from->host != HOST_NONE && !str_eq(domain, c->origin) &&
	       !str_eq(domain, c->hostname) &&
	       !conf_has_domain(&c->local_domains, domain);
}

static void keep_sender(struct str from)
{
	struct log l;

	log_begin(&l, LOGL_WARNING, "sender-kept");
	log_str(&l, "from", from);
	log_str(&l, "error", STR("too long to be rewritten"));
	log_end(&l);
}

int rewrite_sender(const struct conf *c, const struct identity *self,
    struct str from, struct buf *b)
{
	char text[SECRET_MAX];
	struct buf secret = BUF(text);
	struct str domain = our_domain(c), lines, line;
	struct srs s = { &line, srs_hmac, (int64_t)time(NULL), domain };
	struct addr a;
	int rc;

	if (!c->srs || domain.n == 0 || from.n == 0 ||
	    addr_mailbox(from, ADDR_UTF8_OK, &a) != 0 || !is_foreign(c, &a))
		return 0;
	rc = secret_read(self, c->srs_secret, true, &secret);
	if (rc < 0)
		return rc;
	lines = buf_str(&secret);
	(void)secret_next(&lines, &line);
	if (srs_forward(&s, &a, b) != 0)
		keep_sender(from);
	return 0;
}

/* A stranger asks: no secret is made for him, and without one nothing was
 * given out. */
int rewrite_back(const struct conf *c, const struct identity *self,
    struct str local, struct buf *b)
{
	char text[SECRET_MAX];
	struct buf secret = BUF(text);
	struct str lines, line = STR("");
	struct srs s = { &line, srs_hmac, (int64_t)time(NULL), STR("") };
	int rc;

	if (!c->srs || srs_reverse(&s, local, b) == SRS_NOT)
		return SRS_NOT;
	rc = secret_read(self, c->srs_secret, false, &secret);
	if (rc < 0)
		return rc == -ENOENT ? SRS_FORGED : rc;
	lines = buf_str(&secret);
	rc = SRS_FORGED;
	while (rc == SRS_FORGED && secret_next(&lines, &line)) {
		buf_clear(b);
		rc = srs_reverse(&s, local, b);
	}
	return rc;
}
