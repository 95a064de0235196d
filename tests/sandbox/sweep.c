/*
 * Every system call number, tried by locked-in children with several sets of
 * arguments, does what the policy's table says and nothing else: the process
 * dies, the call fails with the table's errno, or the kernel answers.
 */
#include "probe.h"

enum {
	NUMBER_MAX = 560,
	SURVIVED = 42, /* a probe's exit after its call, and what came of it */
	REFUSED = 43
};

static struct subject {
	const char *name;
	enum sandbox_program program;
	const struct sandbox_row *rows;
	size_t nrows;
	int otherwise;
	int ruleset;
} subjects[] = {
	{ "smtpd", SANDBOX_SMTPD, SANDBOX_ROWS(smtpd),
	    COUNT(SANDBOX_ROWS(smtpd)), smtpd_otherwise, -1 },
	{ "deliver", SANDBOX_DELIVER, SANDBOX_ROWS(deliver),
	    COUNT(SANDBOX_ROWS(deliver)), deliver_otherwise, -1 },
	{ "pass", SANDBOX_PASS, SANDBOX_ROWS(pass), COUNT(SANDBOX_ROWS(pass)),
	    pass_otherwise, -1 },
	{ "carrier", SANDBOX_CARRIER, SANDBOX_ROWS(carrier),
	    COUNT(SANDBOX_ROWS(carrier)), carrier_otherwise, -1 },
	{ "tls", SANDBOX_TLS, SANDBOX_ROWS(tls), COUNT(SANDBOX_ROWS(tls)),
	    tls_otherwise, -1 },
};

static const struct subject *subject;
static long number;
static uint64_t args[6]; /* of a register's width */
static int says;

static int lock(void)
{
	return sandbox_enter(subject->program, subject->ruleset);
}

/* A fork's child goes through here as well. */
static int call(void)
{
	unsigned long a[6];
	long r;

	for (unsigned i = 0; i < COUNT(a); i++)
		a[i] = (unsigned long)args[i];
	r = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return r < 0 && says > 0 && errno == says ? REFUSED : SURVIVED;
}

/* Numbers of x86_64 by which the kernel's uprobes return: newer kernels ask no
 * filter there, and refuse whoever did not come from a probe. */
static bool is_uprobe(void)
{
#ifdef __x86_64__
	return number == 335 || number == 336;
#else
	return false;
#endif
}

/* Calls end in odd ways; what matters is whether the filter let them pass. */
static bool as_said(void)
{
	int end;

	says = table_says(subject->rows, subject->nrows, subject->otherwise,
	    row_number(SANDBOX_ARCH, (int)number), args);
	end = in_child(lock, call);
	if (is_uprobe())
		return end != NO_LOCK;
	if (says == SAYS_KILL)
		return end == KILLED;
	if (says != SAYS_ALLOW)
		return end == REFUSED;
	return end != KILLED && end != NO_LOCK;
}

static void fill(uint64_t with)
{
	for (unsigned i = 0; i < COUNT(args); i++)
		args[i] = (unsigned long)with;
}

static bool waits_for_ever(void)
{
#ifdef SYS_select
	if (number == SYS_select)
		return true;
#endif
	return number == SYS_ppoll || number == SYS_pselect6;
}

static void numbers(uint64_t with, const char *how)
{
	unsigned wrong = 0, alive = 0, listed = 0;

	for (number = 0; number < NUMBER_MAX; number++) {
		fill(with);
		if (with == 0 && waits_for_ever())
			continue;
#ifdef SYS_socketcall
		if (number == SYS_socketcall)
			continue; /* for the simulation */
#endif
		if (!as_said()) {
			wrong++;
			printf("# %s: call %ld is not as the table says\n",
			    subject->name, number);
		}
		alive += says != SAYS_KILL;
	}
	for (size_t i = 0; i < subject->nrows; i++)
		listed += subject->rows[i].number >= 0 &&
			  subject->rows[i].arg[0].mask == 0;
	tap(wrong == 0 && alive + (with == 0) >= listed,
	    "%s: of %d numbers, arguments %s, %u pass, as the table says",
	    subject->name, NUMBER_MAX, how, alive);
}

/* Each row by arguments that fulfil it, the others all ones. */
static void rows(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < subject->nrows; i++) {
		const struct sandbox_row *r = &subject->rows[i];

		if (r->number < 0)
			continue; /* another number of i386 */
		number = r->number;
		fill(UINT64_MAX);
		for (unsigned j = 0; j < POLICY_ARGS && r->arg[j].mask; j++)
			args[r->arg[j].index] = r->arg[j].value;
		if (!as_said() || says != r->refusal) {
			wrong++;
			printf("# %s: row %zu, %s, is not as it says\n",
			    subject->name, i, r->name);
		}
	}
	tap(wrong == 0, "%s: each of %zu rows passes with its arguments",
	    subject->name, subject->nrows);
}

/* The numbers in the rows come from libseccomp: compare some with libc's. */
static void names(void)
{
	static const struct {
		const char *name;
		long number;
	} known[] = {
		{ "read", SYS_read },
		{ "write", SYS_write },
		{ "openat", SYS_openat },
		{ "linkat", SYS_linkat },
		{ "unlinkat", SYS_unlinkat },
		{ "getrandom", SYS_getrandom },
		{ "fsync", SYS_fsync },
		{ "exit_group", SYS_exit_group },
		{ "close", SYS_close },
		{ "munmap", SYS_munmap },
	};
	unsigned right = 0, wrong = 0;

	for (size_t i = 0; i < subject->nrows; i++)
		for (size_t j = 0; j < COUNT(known); j++) {
			const struct sandbox_row *r = &subject->rows[i];

			if (strcmp(r->name, known[j].name) != 0)
				continue;
			right += r->number == known[j].number;
			wrong += r->number != known[j].number;
		}
	tap(right >= COUNT(known) / 2 && wrong == 0,
	    "%s: the numbers are this machine's", subject->name);
}

int main(void)
{
	struct sandbox_level level;
	int v[2];

	make_work();
	must_be(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0, "socketpair");
	at_number(v[0], 0);
	for (unsigned i = 0; i < COUNT(subjects); i++) {
		must_be(sandbox_prepare(subjects[i].program, -1,
			    &subjects[i].ruleset, &level) == 0,
		    "prepare");
		subject = &subjects[i];
		names();
		numbers(UINT64_MAX, "all ones");
		numbers(0, "zero");
		numbers(0xffffff9c, "AT_FDCWD");
		rows();
	}
	remove_work();
	return tap_done();
}
