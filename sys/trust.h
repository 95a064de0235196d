/*
 * Who is believed whatever reverse-path he gives: trusted-users of
 * postern.conf(5).
 */
#ifndef SYS_TRUST_H
#define SYS_TRUST_H

#include "sys/conf.h"

enum {
	/* What systemd gives to DynamicUser=; and nobody, whom somebody from
	 * another user namespace seems to be. */
	TRUST_DYNAMIC_FIRST = 61184,
	TRUST_DYNAMIC_LAST = 65519,
	TRUST_NOBODY = 65534
};

/* As far as it can be told without his name; root always is. */
bool trust_uid(const struct conf *c, uint32_t uid);

/* A word of a list, a name or a uid, means him; his name may be empty. */
bool trust_is_him(struct str word, uint32_t uid, struct str name);

/* He or his name is in the list. */
bool trust_user(const struct conf *c, uint32_t uid, struct str name);

#endif
