/*
 * Hops are the same when they are written the same, but for case and
 * defaults.
 */
#include "sys/guise.h"

static bool is_same(const struct hop *a, const struct hop *b)
{
	char left[HOP_TEXT_MAX], right[HOP_TEXT_MAX];
	struct buf l = BUF(left), r = BUF(right);

	hop_put(&l, a);
	hop_put(&r, b);
	return str_eq(buf_str(&l), buf_str(&r));
}

static bool is_local(void *self, struct str domain)
{
	const struct conf *const *c = self;

	return conf_has_domain(&(*c)->local_domains, domain);
}

bool guise_find(const struct conf *c, const struct hop *hop, bool smarthost,
    struct masquerade *m)
{
	static const struct conf *of;
	const struct conf_masquerades *all = &c->masquerades;
	unsigned i = 0;

	if (hop->kind != HOP_SMTP || hop->unix_socket)
		return false;
	while (i < all->n && (all->v[i].every || !is_same(&all->v[i].hop, hop)))
		i++;
	for (unsigned k = 0; smarthost && i == all->n && k < all->n; k++)
		if (all->v[k].every) {
			i = k;
			break;
		}
	if (i == all->n)
		return false;
	of = c;
	*m = (struct masquerade){ .address = all->v[i].address,
		.hostname = c->hostname,
		.origin = c->origin,
		.is_local = is_local,
		.self = &of };
	return true;
}
