/*
 * Sender rewriting.  What is hashed has the separators in it, so that no
 * octet can move from one field into the next, and the tag, so that an SRS0
 * never passes for an SRS1.  It is hashed in lower case: a host on the way
 * may have changed that.
 */
#include "mail/srs.h"

#include <string.h>

#include "mail/sha256.h"

enum {
	TAG = 4, /* "SRS0" */
	DAY_S = 24 * 60 * 60,
	DAYS = 1024, /* that two characters of base32 tell apart */
	TEXT_MAX = LOCAL_MAX + DOMAIN_MAX + 16
};

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static unsigned today(const struct srs *s)
{
	int64_t day = s->now_s / DAY_S - (s->now_s % DAY_S < 0);

	return (unsigned)(day % DAYS + DAYS) % DAYS;
}

/* "SRS0=", "SRS0+" and "SRS0-" are the same, in any case. */
static bool has_tag(struct str local, char which)
{
	return local.n > TAG && str_startscase(local, STR("SRS")) &&
	       local.p[TAG - 1] == which &&
	       (local.p[TAG] == '=' || local.p[TAG] == '+' ||
		   local.p[TAG] == '-');
}

static void hash(
    const struct srs *s, char tag, struct str text, char out[SRS_HASH_MAX])
{
	char room[TEXT_MAX];
	struct buf b = BUF(room);

	buf_putc(&b, tag);
	buf_lower(&b, text);
	s->hash(s->self, buf_str(&b), out);
}

/* "SRS0=hash=text@ours" */
static int put(const struct srs *s, char tag, struct str text, struct buf *b)
{
	struct addr a = { .host = HOST_NAME };
	struct buf local = BUF(a.local), domain = BUF(a.domain);
	char code[SRS_HASH_MAX];

	hash(s, tag, text, code);
	buf_putz(&local, "SRS");
	buf_putc(&local, tag);
	buf_putc(&local, '=');
	buf_put(&local, str_at(code, sizeof(code)));
	buf_putc(&local, '=');
	buf_put(&local, text);
	buf_put(&domain, s->domain);
	if (local.full || domain.full)
		return SRS_LONG;
	a.nlocal = (unsigned char)local.n;
	a.ndomain = (unsigned char)domain.n;
	addr_put(b, &a);
	return 0;
}

/* "domain" and "=" and "=what stands behind SRS0" */
static bool leads_back(struct str rest)
{
	char room[DOMAIN_MAX], tag[LOCAL_MAX];
	struct buf name = BUF(room), local = BUF(tag);
	struct str domain;

	str_cut(&rest, '=', &domain);
	buf_putz(&local, "SRS0");
	buf_put(&local, rest);
	return has_tag(buf_str(&local), '0') &&
	       (literal_valid(domain) || domain_ascii(domain, &name) == 0);
}

int srs_forward(const struct srs *s, const struct addr *from, struct buf *b)
{
	char room[TEXT_MAX];
	struct buf text = BUF(room);
	struct str local = addr_local(from), rest, word;
	unsigned day = today(s);

	/* A general literal may hold the separator. */
	if (from->host == HOST_NONE || local.n == 0 ||
	    str_find(addr_domain(from), '=') < from->ndomain ||
	    str_eqcase(addr_domain(from), s->domain)) {
		addr_put(b, from);
		return 0;
	}
	if (has_tag(local, '1')) {
		/* The forwarder before us hashed it; now we do. */
		rest = str_skip(local, TAG + 1);
		if (str_cut(&rest, '=', &word) && leads_back(rest))
			return put(s, '1', rest, b);
	}
	if (has_tag(local, '0')) {
		buf_put(&text, addr_domain(from));
		buf_putc(&text, '=');
		buf_put(&text, str_skip(local, TAG));
		return put(s, '1', buf_str(&text), b);
	}
	buf_putc(&text, base32[day / 32]);
	buf_putc(&text, base32[day % 32]);
	buf_putc(&text, '=');
	buf_put(&text, addr_domain(from));
	buf_putc(&text, '=');
	buf_put(&text, local);
	return put(s, '0', buf_str(&text), b);
}

static bool is_ours(
    const struct srs *s, char tag, struct str text, struct str code)
{
	char want[SRS_HASH_MAX];
	unsigned differ = 0;

	if (code.n != sizeof(want) || text.n > LOCAL_MAX)
		return false;
	hash(s, tag, text, want);
	for (size_t i = 0; i < sizeof(want); i++)
		differ |= (unsigned)(str_lower(want[i]) ^ str_lower(code.p[i]));
	return differ == 0;
}

static int value(char c)
{
	for (int i = 0; i < 32; i++)
		if (str_lower(base32[i]) == str_lower(c))
			return i;
	return -1;
}

/* A day ahead is one of a clock that was set. */
static bool is_old(const struct srs *s, struct str day)
{
	int high = value(day.p[0]), low = value(day.p[1]);
	unsigned age;

	if (high < 0 || low < 0)
		return true;
	age = (today(s) + DAYS - (unsigned)(high * 32 + low)) % DAYS;
	return age > SRS_DAYS && age != DAYS - 1;
}

/* tag and local at domain, when that is an address. */
static int put_original(
    const char *tag, struct str local, struct str domain, struct buf *b)
{
	struct addr a = { .host = HOST_NAME };
	struct buf l = BUF(a.local), d = BUF(a.domain);

	buf_putz(&l, tag);
	buf_put(&l, local);
	if (literal_valid(domain)) {
		a.host = HOST_LITERAL;
		buf_lower(&d, domain);
	} else if (domain_ascii(domain, &d) != 0) {
		return SRS_FORGED;
	}
	if (l.full || d.full || l.n == 0)
		return SRS_FORGED;
	for (size_t i = 0; i < l.n; i++)
		if (l.p[i] == '\0' || l.p[i] == '\r' || l.p[i] == '\n')
			return SRS_FORGED;
	a.nlocal = (unsigned char)l.n;
	a.ndomain = (unsigned char)d.n;
	addr_put(b, &a);
	return 0;
}

int srs_reverse(const struct srs *s, struct str local, struct buf *b)
{
	struct str rest = str_skip(local, TAG + 1), text, code, day, domain;
	bool first = has_tag(local, '0');

	if (!first && !has_tag(local, '1'))
		return SRS_NOT;
	str_cut(&rest, '=', &code);
	text = rest;
	if (first && (!str_cut(&rest, '=', &day) || day.n != 2))
		return SRS_NOT;
	if (!str_cut(&rest, '=', &domain) || domain.n == 0 || rest.n == 0)
		return SRS_NOT;
	if (!is_ours(s, first ? '0' : '1', text, code))
		return SRS_FORGED;
	if (!first)
		return put_original("SRS0", rest, domain, b);
	if (is_old(s, day))
		return SRS_OLD;
	return put_original("", rest, domain, b);
}

void srs_hmac(void *self, struct str s, char out[SRS_HASH_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const struct str *secret = self;
	unsigned char mac[SHA256_OCTETS];
	unsigned bits = 0, n = 0, at = 0;

	sha256_hmac(*secret, s, mac);
	for (unsigned i = 0; i < SRS_HASH_MAX; i++) {
		if (n < 6) {
			bits = bits << 8 | mac[at++];
			n += 8;
		}
		n -= 6;
		out[i] = digits[bits >> n & 63];
	}
}
