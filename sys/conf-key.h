/*
 * What a key of postern.conf(5) is, for the files that read values.
 */
#ifndef SYS_CONF_KEY_H
#define SYS_CONF_KEY_H

#include "sys/conf.h"

/*
 * A taker reads the value of its key into *c.  It returns what is wrong with
 * it, as a constant text, or NULL.
 */
struct key {
	const char *name;
	const char *(*take)(struct conf *, const struct key *, struct str);
	size_t at;         /* offset in struct conf */
	uint64_t min, max; /* of numbers */
	bool list;         /* may come several times */
};

/* What the key's offset points to. */
void *conf_field(struct conf *c, const struct key *k);

/* A copy in the room of *c with a NUL behind it; false when it is full. */
bool conf_keep(struct conf *c, struct str s, struct str *kept);

/* A number, or a duration, within the limits of its key. */
const char *conf_number(
    struct str v, bool duration, const struct key *k, uint64_t *out);

/* sys/conf-switch.c: on or off, a bool. */
const char *conf_take_switch(struct conf *, const struct key *, struct str);

/* ... the name of a user. */
const char *conf_take_user(struct conf *, const struct key *, struct str);

/* A hop over a copy of its text, which it points into.  NULL or what is
 * wrong. */
const char *conf_hop(struct conf *c, struct str v, struct hop *hop);

/* The takers of sys/conf-nets.c: any networks, and those that we trust. */
const char *conf_take_nets(struct conf *, const struct key *, struct str);
const char *conf_take_trusted_nets(
    struct conf *, const struct key *, struct str);

/* The takers of sys/conf-hop.c. */
const char *conf_take_hops(struct conf *, const struct key *, struct str);
const char *conf_take_route(struct conf *, const struct key *, struct str);
const char *conf_take_retry(struct conf *, const struct key *, struct str);
const char *conf_take_dnssec(struct conf *, const struct key *, struct str);
const char *conf_take_server(struct conf *, const struct key *, struct str);

/* The takers of sys/conf-sender.c. */
const char *conf_take_trust(struct conf *, const struct key *, struct str);
const char *conf_take_rate(struct conf *, const struct key *, struct str);
const char *conf_take_masquerade(struct conf *, const struct key *, struct str);
const char *conf_take_sender(struct conf *, const struct key *, struct str);

/* ... of sys/conf-tls.c. */
const char *conf_take_files(struct conf *, const struct key *, struct str);
const char *conf_take_services(struct conf *, const struct key *, struct str);
const char *conf_take_yes(struct conf *, const struct key *, struct str);

#endif
