/*
 * Sender rewriting: every address that is rewritten leads back to itself
 * under the same secret and to nobody under another, fits a local part, and
 * what a stranger makes up leads to nobody.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/srs.h"

static struct str secret = { "one", 3 }, other = { "two", 3 };

static bool is_srs(struct str local)
{
	return str_startscase(local, STR("SRS0")) ||
	       str_startscase(local, STR("SRS1"));
}

static void back(struct srs *s, const struct addr *from, struct str text)
{
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);
	struct addr to, again;

	HOLDS(addr_mailbox(text, ADDR_UTF8_OK, &to) == 0);
	HOLDS(str_eq(addr_domain(&to), s->domain));
	HOLDS(srs_reverse(s, addr_local(&to), &b) == 0);
	HOLDS(!b.full);
	HOLDS(addr_mailbox(buf_str(&b), ADDR_UTF8_OK, &again) == 0);
	if (is_srs(addr_local(from)))
		HOLDS(is_srs(addr_local(&again)) || addr_eq(from, &again));
	else
		HOLDS(addr_eq(from, &again));
	buf_clear(&b);
	s->self = &other;
	HOLDS(srs_reverse(s, addr_local(&to), &b) == SRS_FORGED && b.n == 0);
	s->self = &secret;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str text = fuzz_str(input, size);
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);
	struct addr from;
	struct srs s = { &secret, srs_hmac, 0, STR("here.example") };
	int rc;

	s.now_s = (int64_t)fuzz_octet(&text) * 86400;
	rc = srs_reverse(&s, text, &b);
	HOLDS(rc == SRS_NOT || rc == SRS_FORGED);
	HOLDS(b.n == 0);
	if (addr_mailbox(text, ADDR_UTF8_OK, &from) != 0)
		return 0;
	rc = srs_forward(&s, &from, &b);
	HOLDS(!b.full && (rc == 0 || (rc == SRS_LONG && b.n == 0)));
	if (rc == 0 && from.host != HOST_NONE && from.nlocal > 0 &&
	    str_find(addr_domain(&from), '=') == from.ndomain &&
	    !str_eq(addr_domain(&from), s.domain))
		back(&s, &from, buf_str(&b));
	return 0;
}
