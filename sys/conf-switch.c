/*
 * Keys that are on or off.
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
