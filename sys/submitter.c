/*
 * Who he is by NSS, what is his by his name, and what by a file.  What cannot
 * be looked up now is no answer.
 */
#include "sys/submitter.h"

#include "mail/addr.h"
#include "sys/trust.h"

static const struct verdict good = { VERDICT_DONE, { "2.1.0", 5 },
	{ "good", 4 } };

static bool is_our_domain(const struct conf *c, const struct addr *a)
{
	struct str domain = addr_domain(a);

	return a->host == HOST_NONE ||
	       (a->host == HOST_NAME &&
		   (str_eq(domain, c->origin) || str_eq(domain, c->hostname) ||
		       conf_has_domain(&c->local_domains, domain)));
}

/* NAME or NAME+tag, in letters of any case. */
static bool is_own(const struct conf *c, struct str name, const struct addr *a)
{
	struct str local = addr_local(a);

	return name.n > 0 && is_our_domain(c, a) &&
	       str_eqcase(str_head(local, str_find(local, '+')), name);
}

/* The first word of a line of sender-map means this address. */
static bool is_meant(
    const struct conf *c, struct str word, const struct addr *a)
{
	struct addr other = { .host = HOST_NONE };
	struct buf domain = BUF(other.domain);

	if (str_starts(word, STR("@")))
		return a->host == HOST_NAME &&
		       domain_ascii(str_skip(word, 1), &domain) == 0 &&
		       str_eq(buf_str(&domain), addr_domain(a));
	if (addr_mailbox(word, ADDR_BARE_OK | ADDR_UTF8_OK, &other) != 0 ||
	    !str_eqcase(addr_local(&other), addr_local(a)))
		return false;
	if (other.host == HOST_NONE)
		return is_our_domain(c, a);
	return str_eq(addr_domain(&other), addr_domain(a)) ||
	       (a->host == HOST_NONE && str_eq(addr_domain(&other), c->origin));
}

static bool is_listed(const struct conf *c, struct str text, uint32_t uid,
    struct str name, const struct addr *a)
{
	struct str line, word;

	while (str_cut(&text, '\n', &line)) {
		line = str_trim(str_head(line, str_find(line, '#')));
		if (!str_word(&line, &word) || !is_meant(c, word, a))
			continue;
		while (str_word(&line, &word))
			if (str_eq(word, STR("*")) ||
			    trust_is_him(word, uid, name))
				return true;
	}
	return false;
}

/* As much of it as leaves room for what follows, and safe in a reply. */
static void put_safe(struct buf *b, struct str s, size_t max)
{
	for (size_t i = 0; i < s.n && i < max; i++) {
		char c = s.p[i];

		buf_putc(
		    b, c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c);
	}
	if (s.n > max)
		buf_putz(b, "...");
}

/* "user alice may not send as <x@y.example>: ..." */
static void put_refusal(
    struct buf *why, uint32_t uid, struct str name, struct str address)
{
	static const char keys[] = ": see trusted-users and sender-map";

	if (name.n > 0) {
		buf_putz(why, "user ");
		put_safe(why, name, 24);
	} else {
		buf_putz(why, "uid ");
		buf_u64(why, uid);
		buf_putz(why, " (no name)");
	}
	buf_putz(why, " may not send as ");
	put_safe(why, address, 72);
	buf_putz(why, keys);
}

static struct verdict later(const char *text)
{
	return (struct verdict){ VERDICT_LATER, STR("4.3.5"), str_of(text) };
}

void submitter_judge(const struct users *u, struct text *map, uint32_t uid,
    struct str address, struct buf *name, struct buf *why, struct verdict *v)
{
	const struct conf *c = u->conf;
	struct addr a;
	int rc = users_name(u, uid, name);

	*v = good;
	if (rc < 0) {
		*v = later("who you are cannot be looked up now");
		return;
	}
	if (address.n == 0 || trust_user(c, uid, buf_str(name)))
		return;
	if (addr_mailbox(address, ADDR_BARE_OK | ADDR_UTF8_OK, &a) == 0) {
		if (is_own(c, buf_str(name), &a))
			return;
		rc = c->sender_map ? text_refresh(map, c->sender_map) : 0;
		if (rc < 0) {
			*v = later("sender-map cannot be read now");
			return;
		}
		if (c->sender_map &&
		    is_listed(c, buf_str(&map->b), uid, buf_str(name), &a))
			return;
	}
	put_refusal(why, uid, buf_str(name), address);
	*v = (struct verdict){ VERDICT_NEVER, STR("5.7.1"), buf_str(why) };
}
