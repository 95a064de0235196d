/*
 * Addresses are kept in the form of the wire, so that two ways to write one
 * are one.
 */
#include "mail/envelope.h"

void envelope_init(struct envelope *e)
{
	e->utf8 = false;
	e->nrcpt = 0;
	e->sender = STR("");
	e->text = BUF(e->room);
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

/* Behind what was kept. */
static struct str keep(struct envelope *e, const struct addr *a)
{
	const char *at = e->text.p + e->text.n;

	addr_put(&e->text, a);
	e->utf8 = e->utf8 || !is_ascii(addr_local(a));
	return str_at(at, (size_t)(e->text.p + e->text.n - at));
}

int envelope_set_sender(struct envelope *e, struct str text, struct str origin)
{
	struct list l = { .text = text };
	struct list_item item, other;
	struct buf domain = BUF(item.addr.domain);
	int rc = list_next(&l, &item);

	text = str_trim(text);
	e->sender = STR("");
	if (text.n == 0 || str_eq(text, STR("<>")))
		return 0;
	if (rc != 0 || list_next(&l, &other) != LIST_END)
		return ENVELOPE_BAD;
	if (item.addr.host == HOST_NONE) {
		buf_put(&domain, origin);
		item.addr.host = HOST_NAME;
		item.addr.ndomain = (unsigned char)domain.n;
	}
	e->sender = keep(e, &item.addr);
	return 0;
}

static bool is_known(const struct envelope *e, struct str address)
{
	for (unsigned i = 0; i < e->nrcpt; i++)
		if (str_eq(e->rcpt[i], address))
			return true;
	return false;
}

static int add(struct envelope *e, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);

	addr_put(&b, a);
	if (is_known(e, buf_str(&b)))
		return 0;
	if (e->nrcpt == QFILE_RCPT_MAX)
		return ENVELOPE_FULL;
	e->rcpt[e->nrcpt++] = keep(e, a);
	return 0;
}

int envelope_add(struct envelope *e, struct str list, struct str *bad)
{
	struct list l = { .text = list };
	struct list_item item;
	int answer = 0, rc;

	while ((rc = list_next(&l, &item)) != LIST_END) {
		if (rc == 0 && item.addr.nlocal + item.addr.ndomain > 0) {
			if (add(e, &item.addr) == ENVELOPE_FULL)
				return ENVELOPE_FULL;
			continue;
		}
		if (answer == 0 && bad)
			*bad = item.text;
		answer = ENVELOPE_BAD;
	}
	return answer;
}

void envelope_cut(struct envelope *e, unsigned nrcpt)
{
	if (nrcpt >= e->nrcpt)
		return;
	e->text.n = (size_t)(e->rcpt[nrcpt].p - e->text.p);
	e->nrcpt = nrcpt;
}
