/*
 * A session whose host knows one good recipient and counts what it is asked
 * out of order.  Included once by each program that needs one.
 */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include "mail/session.h"
#include "tests/unit/tap.h"

static struct session s;
static bool open;
static unsigned faults;

static void lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	bool good = str_eq(addr_local(to), STR("good"));

	(void)self;
	(void)f;
	v->kind = good ? VERDICT_DONE : VERDICT_NEVER;
	v->status = good ? STR("2.1.5") : STR("5.1.1");
	v->text = STR("text");
}

static bool is_local(void *self, const struct addr *to)
{
	(void)self;
	return str_eq(addr_domain(to), STR("here.example"));
}

static bool is_relayed(void *self, const struct addr *to)
{
	(void)self;
	(void)to;
	return false;
}

static int host_open(void *self, struct str *id)
{
	(void)self;
	faults += open || s.nrcpt == 0;
	open = true;
	*id = STR("id");
	return 0;
}

static int host_write(void *self, struct str content)
{
	(void)self;
	faults += !open || content.n == 0;
	return 0;
}

static void commit(
    void *self, const struct session *of, struct str rest, struct verdict *v)
{
	(void)self;
	faults += !open || of->nrcpt == 0 || rest.n == 0;
	*v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("stored") };
}

static void host_close(void *self)
{
	(void)self;
	faults += !open;
	open = false;
}

static bool pending(void *self)
{
	(void)self;
	return false;
}

static int64_t now(void *self, int *offset_minutes)
{
	(void)self;
	*offset_minutes = 0;
	return 0;
}

static void refused(void *self, struct str line, struct str said)
{
	(void)self;
	(void)line;
	faults += said.n == 0;
}

static bool has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	(void)size_bytes;
	return true;
}

static void may_send(void *self, const struct addr *from, struct verdict *v)
{
	(void)self;
	(void)from;
	*v = (struct verdict){ VERDICT_DONE, STR("2.1.0"), STR("") };
}

static const struct session_host host = { NULL, lookup, is_local, is_relayed,
	host_open, host_write, commit, host_close, pending, now, refused,
	has_room, may_send };

#endif
