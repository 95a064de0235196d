/*
 * A table without order: a few thousand sessions are counted faster than an
 * index of them is kept.
 */
#include "sys/roster.h"

#include <unistd.h>

void roster_add(struct roster *r, pid_t pid, const struct peer *p, int ask_fd)
{
	struct member *m = &r->member[r->n++];

	*m = (struct member){ .pid = pid,
		.local = p->kind != PEER_INET,
		.unknown = ask_fd >= 0 && p->kind == PEER_INET,
		.ask_fd = ask_fd,
		.uid = p->uid,
		.source = netaddr_source(&p->addr) };
	r->nlocal += m->local;
	r->nunknown += m->unknown;
	r->nasking += ask_fd >= 0;
}

void roster_answered(struct roster *r, struct member *m)
{
	if (m->ask_fd < 0)
		return;
	close(m->ask_fd);
	m->ask_fd = -1;
	r->nasking--;
	r->nunknown -= !m->local;
}

struct member *roster_asking(struct roster *r, int ask_fd)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->member[i].ask_fd == ask_fd)
			return &r->member[i];
	return NULL;
}

void roster_remove(struct roster *r, pid_t pid)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct member *m = &r->member[i];

		if (m->pid != pid)
			continue;
		roster_answered(r, m);
		r->nlocal -= m->local;
		*m = r->member[--r->n];
		return;
	}
}

unsigned roster_of_source(const struct roster *r, const struct netaddr *source)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += !r->member[i].local && !r->member[i].unknown &&
		     netaddr_eq(&r->member[i].source, source);
	return n;
}

unsigned roster_of_user(const struct roster *r, uid_t uid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->member[i].local && r->member[i].uid == uid;
	return n;
}
