/*
 * Users by number and by name.  Daemons are told by their numbers.
 */
#include "sys/trust.h"

static bool is_system(const struct conf *c, uint32_t uid)
{
	return uid < c->minimum_uid || uid == TRUST_NOBODY ||
	       (uid >= TRUST_DYNAMIC_FIRST && uid <= TRUST_DYNAMIC_LAST);
}

bool trust_is_him(struct str word, uint32_t uid, struct str name)
{
	uint64_t n;

	return (name.n > 0 && str_eq(word, name)) ||
	       (str_u64(word, &n) == 0 && n == uid);
}

bool trust_user(const struct conf *c, uint32_t uid, struct str name)
{
	const struct conf_trust *t = &c->trusted_users;

	if (uid == 0 || t->everyone || (t->system && is_system(c, uid)))
		return true;
	for (unsigned i = 0; i < t->n; i++)
		if (trust_is_him(t->v[i], uid, name))
			return true;
	return false;
}

bool trust_uid(const struct conf *c, uint32_t uid)
{
	return trust_user(c, uid, STR(""));
}
