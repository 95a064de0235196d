/*
 * A path that parses is printed so that it parses back to the same mailbox,
 * holds no octet that a command must not hold, and asks for SMTPUTF8 exactly
 * when an octet of it is not ASCII.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/addr.h"

enum { ALL = ADDR_NULL_OK | ADDR_BARE_OK | ADDR_UTF8_OK };

static bool ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) != 0)
			return false;
	return true;
}

static void parts(const struct addr *a)
{
	struct str local = addr_local(a), domain = addr_domain(a);

	HOLDS(local.n <= LOCAL_MAX && domain.n <= DOMAIN_MAX);
	HOLDS(utf8_valid(local) && ascii(domain));
	for (size_t i = 0; i < local.n; i++)
		HOLDS((unsigned char)local.p[i] >= 0x20 && local.p[i] != 0x7f);
	for (size_t i = 0; i < domain.n; i++)
		HOLDS(domain.p[i] > 0x20 && domain.p[i] != 0x7f &&
		      str_lower(domain.p[i]) == domain.p[i]);
	HOLDS((a->host == HOST_NONE) == (domain.n == 0));
	if (a->host == HOST_LITERAL)
		HOLDS(literal_valid(domain));
}

static void again(const struct addr *a)
{
	char room[ADDR_TEXT_MAX], second[ADDR_TEXT_MAX];
	struct buf b = BUF(room), c = BUF(second);
	struct addr m;
	int rc;

	addr_put(&b, a);
	HOLDS(!b.full);
	rc = addr_mailbox(buf_str(&b), ALL, &m);
	/* Only quotes and A-labels may make it longer than it was. */
	HOLDS(rc == 0 || (rc == ADDR_LONG && b.n > PATH_MAX_LEN - 2));
	if (rc != 0)
		return;
	HOLDS(addr_eq(a, &m));
	addr_put(&c, &m);
	HOLDS(str_eq(buf_str(&b), buf_str(&c)));
}

static void path(struct str s, unsigned flags)
{
	struct str rest = s, whole;
	struct addr a, b;
	int rc = addr_path(&rest, flags, &a);

	HOLDS(rc == 0 || (rest.p == s.p && rest.n == s.n));
	if (rc != 0)
		return;
	whole = str_head(s, s.n - rest.n);
	HOLDS(whole.n >= 2 && whole.n <= PATH_MAX_LEN);
	HOLDS(whole.p[0] == '<' && whole.p[whole.n - 1] == '>');
	HOLDS((flags & ADDR_UTF8_OK) != 0 || ascii(whole));
	HOLDS(
	    (flags & ADDR_BARE_OK) != 0 || a.host != HOST_NONE || whole.n == 2);
	HOLDS((flags & ADDR_NULL_OK) != 0 || whole.n > 2);
	parts(&a);
	again(&a);
	/* Nothing that follows matters, and more flags refuse no more. */
	HOLDS(addr_path(&whole, ALL, &b) == 0 && whole.n == 0);
	HOLDS(addr_eq(&a, &b));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned flags = fuzz_octet(&s) & ALL;
	struct addr a;

	path(s, flags);
	if (addr_mailbox(s, flags, &a) == 0) {
		parts(&a);
		again(&a);
	}
	literal_valid(s);
	if (xtext_valid(s))
		HOLDS(ascii(s) && str_find(s, '=') == s.n &&
		      str_find(s, '\0') == s.n && str_find(s, '\n') == s.n);
	return 0;
}
