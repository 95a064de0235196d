/*
 * The envelope of a session as those outside read it: who sends, who receives,
 * and by which rules of ours.  Views of what mail/transaction.c has built.
 */
#include "mail/session.h"

#include <string.h>

struct str session_rcpt_local(const struct session *s, unsigned i)
{
	return str_at(s->room_text + s->rcpt[i].at, s->rcpt[i].nlocal);
}

struct str session_rcpt_domain(const struct session *s, unsigned i)
{
	return str_at(s->room_text + s->rcpt[i].at + s->rcpt[i].nlocal,
	    s->rcpt[i].ndomain);
}

struct str session_rcpt_orcpt(const struct session *s, unsigned i)
{
	const struct session_rcpt *r = &s->rcpt[i];

	return str_at(s->room_text + r->at + r->nlocal + r->ndomain, r->norcpt);
}

struct str session_rcpt_owner(const struct session *s, unsigned i)
{
	const struct session_rcpt *r = &s->rcpt[i];

	return str_at(s->room_text + r->at + r->nlocal + r->ndomain + r->norcpt,
	    r->nowner);
}

struct str session_rcpt_via(const struct session *s, unsigned i)
{
	const struct session_rcpt *r = &s->rcpt[i];

	return str_at(s->room_text + r->at + r->nlocal + r->ndomain +
			  r->norcpt + r->nowner,
	    r->nvia);
}

bool session_is_queue(const struct session *s)
{
	struct str helo = str_at(s->helo, s->nhelo);

	return s->set->local &&
	       (s->set->queue ||
		   (s->set->queue_helo &&
		       str_eqcase(helo, STR(SESSION_QUEUE_HELO))));
}

bool session_defers(const struct session *s)
{
	return s->set->local && !session_is_queue(s);
}

uint64_t session_size_limit(const struct session *s)
{
	return s->set->size_limit_bytes +
	       (session_is_queue(s) ? SESSION_SLACK : 0);
}

/* A bare address gets our origin. */
static void put_qualified(
    const struct session *s, struct addr *a, struct buf *b)
{
	if (a->host == HOST_NONE && a->nlocal > 0) {
		struct str origin = str_head(s->set->origin, DOMAIN_MAX);

		a->host = HOST_NAME;
		a->ndomain = (unsigned char)origin.n;
		memcpy(a->domain, origin.p, origin.n);
	}
	addr_put(b, a);
}

void session_rcpt_addr(const struct session *s, unsigned i, struct addr *a)
{
	struct str local = session_rcpt_local(s, i);
	struct str domain = session_rcpt_domain(s, i);

	a->host = s->rcpt[i].host;
	a->utf8 = s->mail.smtputf8;
	a->nlocal = (unsigned char)local.n;
	a->ndomain = (unsigned char)domain.n;
	memcpy(a->local, local.p, local.n);
	memcpy(a->domain, domain.p, domain.n);
}

void session_rcpt_put(const struct session *s, unsigned i, struct buf *b)
{
	struct addr a;

	session_rcpt_addr(s, i, &a);
	put_qualified(s, &a, b);
}

void session_from_put(const struct session *s, struct buf *b)
{
	struct addr a = s->mail.from;

	put_qualified(s, &a, b);
}
