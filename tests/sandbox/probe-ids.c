/*
 * The filter of ids: which users and groups a worker of deliver may become,
 * by every call that changes an id and in every place of it.
 */
#include "probe.h"

#include <grp.h>

enum { MINIMUM = 1000, OWN_UID = 811, OWN_GID = 812, MAIL_GID = 8 };

#ifdef SYS_setresuid32
#define ID_CALL(name) SYS_##name##32
#else
#define ID_CALL(name) SYS_##name
#endif

static const struct id_call {
	const char *name;
	long number;
	unsigned nargs;
	bool group;
} calls[] = {
	{ "setfsuid", ID_CALL(setfsuid), 1, false },
	{ "setfsgid", ID_CALL(setfsgid), 1, true },
	{ "setuid", ID_CALL(setuid), 1, false },
	{ "setgid", ID_CALL(setgid), 1, true },
	{ "setreuid", ID_CALL(setreuid), 2, false },
	{ "setregid", ID_CALL(setregid), 2, true },
	{ "setresuid", ID_CALL(setresuid), 3, false },
	{ "setresgid", ID_CALL(setresgid), 3, true },
};

static const struct id {
	uint64_t id;
	bool user, group; /* good as one */
} ids[] = {
	{ 0, false, false },
	{ 1, false, false },
	{ MAIL_GID, false, true },
	{ MAIL_GID + 1, false, false },
	{ OWN_UID, true, false },
	{ OWN_GID, false, true },
	{ MINIMUM - 1, false, false },
	{ MINIMUM, true, true },
	{ MINIMUM + 1, true, true },
	{ 20000, true, true },
	{ 65534, true, true },
	{ 65536, true, true },
	{ 65536 + MINIMUM, true, true },
	{ UINT32_MAX - 1, true, true },
	{ UINT32_MAX, true, true }, /* asks */
#if UINTPTR_MAX > UINT32_MAX
	{ UINT64_MAX, true, true },
	/* the kernel takes the low half */
	{ (uint64_t)1 << 32, false, false },
	{ (uint64_t)1 << 32 | 999, false, false },
	{ (uint64_t)1 << 63, false, false },
	{ (uint64_t)1 << 32 | MINIMUM, true, true },
#endif
};

static uint32_t minimum;
static long number;
static unsigned long arg[3];
static bool and_policy;
static int policy_ruleset;

static int lock(void)
{
	int r = sandbox_limit_ids(minimum, OWN_UID, OWN_GID, MAIL_GID);

	return r == 0 && and_policy
		   ? sandbox_enter(SANDBOX_DELIVER, policy_ruleset)
		   : r;
}

/* Whether it succeeds is the kernel's to say. */
static int call(void)
{
	(void)syscall(number, arg[0], arg[1], arg[2]);
	return OK;
}

/* One call with `id` at one place, and an id that is good at the others. */
static bool right(const struct id_call *c, unsigned place, const struct id *i)
{
	bool good = c->group ? i->group : i->user;

	number = c->number;
	for (unsigned a = 0; a < 3; a++)
		arg[a] = a == place ? (unsigned long)i->id : 20000;
	return in_child(lock, call) == (good ? OK : KILLED);
}

static void each_call(const struct id_call *c)
{
	unsigned wrong = 0;

	for (unsigned place = 0; place < c->nargs; place++)
		for (unsigned i = 0; i < COUNT(ids); i++)
			if (!right(c, place, &ids[i])) {
				wrong++;
				printf("# %s place %u id %#llx\n", c->name,
				    place, (unsigned long long)ids[i].id);
			}
	tap(wrong == 0, "%s: %zu ids in each of %u places%s", c->name,
	    COUNT(ids), c->nargs, and_policy ? ", with the policy" : "");
}

static void single(const char *name, long nr, unsigned long first, int end)
{
	number = nr;
	arg[0] = first;
	arg[1] = arg[2] = 0;
	tap(in_child(lock, call) == end, "%s: %s", name, end_name(end));
}

/* Root alone can show that what passes also happens. */
static int becomes(void)
{
	if (syscall(ID_CALL(setfsgid), MAIL_GID) < 0 ||
	    syscall(ID_CALL(setfsuid), 20000) < 0)
		return WRONG;
	return syscall(ID_CALL(setfsuid), -1) == 20000 &&
		       syscall(ID_CALL(setfsgid), -1) == MAIL_GID &&
		       syscall(ID_CALL(setgroups), 0, NULL) == 0
		   ? OK
		   : WRONG;
}

static int bystander_calls(void)
{
	return getpid() > 0 && write(2, "", 0) == 0 ? OK : WRONG;
}

static void limits(void)
{
	minimum = MINIMUM;
	for (unsigned i = 0; i < COUNT(calls); i++)
		each_call(&calls[i]);
	single("setgroups of none", ID_CALL(setgroups), 0, OK);
	single("setgroups of one", ID_CALL(setgroups), 1, KILLED);
	single("setgroups of 2^31", ID_CALL(setgroups), 1ul << 31, KILLED);
	tap(in_child(lock, bystander_calls) == OK, "other calls are untouched");
#ifdef __x86_64__
	single("setfsuid of x32", 0x40000000 + SYS_setfsuid, 20000, KILLED);
#endif
#ifdef SYS_setresuid32
	single("setfsuid of 16 bits", SYS_setfsuid, 20000, KILLED);
	single("setresuid of 16 bits", SYS_setresuid, 20000, KILLED);
	single("setgroups of 16 bits", SYS_setgroups, 0, KILLED);
#endif
	if (geteuid() == 0)
		tap(in_child(lock, becomes) == OK, "a user with group mail");
}

int main(void)
{
	struct sandbox_level level;

	must_be(
	    sandbox_prepare(SANDBOX_DELIVER, -1, &policy_ruleset, &level) == 0,
	    "prepare");
	limits();
	minimum = 0;
	single("minimum 0: root", ID_CALL(setfsuid), 0, KILLED);
	single("minimum 0: 1", ID_CALL(setfsuid), 1, OK);
	minimum = UINT32_MAX;
	single("minimum 2^32 - 1: 20000", ID_CALL(setfsuid), 20000, KILLED);
	single("minimum 2^32 - 1: asks", ID_CALL(setfsuid), UINT32_MAX, OK);
	/* the worker has both filters */
	minimum = MINIMUM;
	and_policy = true;
	each_call(&calls[0]);
	each_call(&calls[1]);
	each_call(&calls[6]);
	each_call(&calls[7]);
	single("with the policy, setuid", ID_CALL(setuid), 20000, KILLED);
	return tap_done();
}
