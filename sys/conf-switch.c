/*
 * Keys of postern.conf(5) that are on or off, or name a user.
 */
#include "sys/conf-key.h"

const char *conf_take_switch(struct conf *c, const struct key *k, struct str v)
{
	bool *field = conf_field(c, k);

	if (!str_eq(v, STR("on")) && !str_eq(v, STR("off")))
		return "on or off is needed";
	*field = str_eq(v, STR("on"));
	return NULL;
}

const char *conf_take_user(struct conf *c, const struct key *k, struct str v)
{
	const char **user = conf_field(c, k);
	struct str kept;

	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] == ':' || v.p[i] == '/' ||
		    v.p[i] == 0x7f)
			return "the name of a user is needed";
	if (str_eq(v, STR("root")))
		return "commands are never run as root";
	if (!conf_keep(c, v, &kept))
		return "no room";
	*user = kept.p;
	return NULL;
}
