/*
 * Runs every machine's filters in an interpreter of classic BPF and compares
 * what they say with the table they were made from: every system call number
 * with every combination of telling arguments.
 */
#include "probe.h"

enum { NUMBER_MAX = 600, CANDIDATES = 24 };

static const struct subject {
	const char *program, *machine;
	uint32_t arch;
	bool wide;
	const struct sock_filter *filter;
	size_t nfilter;
	const struct sandbox_row *rows;
	size_t nrows;
	int otherwise;
} subjects[] = {
#define SUBJECT(program, machine, arch, wide)                               \
	{                                                                   \
#program, #machine, arch, wide, program##_##machine,        \
		    COUNT(program##_##machine), program##_##machine##_rows, \
		    COUNT(program##_##machine##_rows), program##_otherwise  \
	}
	SUBJECT(smtpd, x86_64, AUDIT_ARCH_X86_64, true),
	SUBJECT(smtpd, aarch64, AUDIT_ARCH_AARCH64, true),
	SUBJECT(smtpd, riscv64, AUDIT_ARCH_RISCV64, true),
	SUBJECT(smtpd, arm, AUDIT_ARCH_ARM, false),
	SUBJECT(smtpd, x86, AUDIT_ARCH_I386, false),
	SUBJECT(deliver, x86_64, AUDIT_ARCH_X86_64, true),
	SUBJECT(deliver, aarch64, AUDIT_ARCH_AARCH64, true),
	SUBJECT(deliver, riscv64, AUDIT_ARCH_RISCV64, true),
	SUBJECT(deliver, arm, AUDIT_ARCH_ARM, false),
	SUBJECT(deliver, x86, AUDIT_ARCH_I386, false),
	SUBJECT(carrier, x86_64, AUDIT_ARCH_X86_64, true),
	SUBJECT(carrier, aarch64, AUDIT_ARCH_AARCH64, true),
	SUBJECT(carrier, riscv64, AUDIT_ARCH_RISCV64, true),
	SUBJECT(carrier, arm, AUDIT_ARCH_ARM, false),
	SUBJECT(carrier, x86, AUDIT_ARCH_I386, false),
	SUBJECT(tls, x86_64, AUDIT_ARCH_X86_64, true),
	SUBJECT(tls, aarch64, AUDIT_ARCH_AARCH64, true),
	SUBJECT(tls, riscv64, AUDIT_ARCH_RISCV64, true),
	SUBJECT(tls, arm, AUDIT_ARCH_ARM, false),
	SUBJECT(tls, x86, AUDIT_ARCH_I386, false),
	SUBJECT(pass, x86_64, AUDIT_ARCH_X86_64, true),
	SUBJECT(pass, aarch64, AUDIT_ARCH_AARCH64, true),
	SUBJECT(pass, riscv64, AUDIT_ARCH_RISCV64, true),
	SUBJECT(pass, arm, AUDIT_ARCH_ARM, false),
	SUBJECT(pass, x86, AUDIT_ARCH_I386, false),
};

/* The instructions that libseccomp uses; another one is a failure. */
static bool step(const struct sock_filter *i, const struct seccomp_data *d,
    uint32_t *a, size_t *pc)
{
	bool taken;

	*pc += 1;
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		memcpy(a, (const char *)d + i->k, sizeof(*a));
		return true;
	case BPF_ALU | BPF_AND | BPF_K:
		*a &= i->k;
		return true;
	case BPF_JMP | BPF_JA:
		*pc += i->k;
		return true;
	case BPF_JMP | BPF_JEQ | BPF_K:
		taken = *a == i->k;
		break;
	case BPF_JMP | BPF_JGT | BPF_K:
		taken = *a > i->k;
		break;
	case BPF_JMP | BPF_JGE | BPF_K:
		taken = *a >= i->k;
		break;
	default:
		return false;
	}
	*pc += taken ? i->jt : i->jf;
	return true;
}

/* The action, or 1 (which is none) for a program that is not sound. */
static uint32_t simulate(const struct subject *s, const struct seccomp_data *d)
{
	uint32_t a = 0;
	size_t pc = 0;

	while (pc < s->nfilter) {
		const struct sock_filter *i = &s->filter[pc];

		if (i->code == (BPF_RET | BPF_K))
			return i->k;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS) &&
		    i->k > sizeof(*d) - sizeof(a))
			return 1;
		if (!step(i, d, &a, &pc))
			return 1;
	}
	return 1;
}

static uint32_t action(int says)
{
	if (says == SAYS_KILL)
		return SECCOMP_RET_KILL_PROCESS;
	if (says == SAYS_ALLOW)
		return SECCOMP_RET_ALLOW;
	return SECCOMP_RET_ERRNO | (uint32_t)says;
}

/* By socketcall(2) the table can only say whether a function is there. */
static int expected(const struct subject *s, int number, const uint64_t a[6])
{
	if (s->arch == AUDIT_ARCH_I386 && number == 102) {
		for (size_t i = 0; i < s->nrows; i++)
			if (s->rows[i].number < 0 &&
			    (uint32_t)a[0] ==
				(uint32_t)-s->rows[i].number - 100)
				return SAYS_ALLOW;
		return s->otherwise ? s->otherwise : SAYS_KILL;
	}
	return table_says(
	    s->rows, s->nrows, s->otherwise, row_number(s->arch, number), a);
}

struct values {
	unsigned n;
	uint64_t v[CANDIDATES];
};

static void add(struct values *v, uint64_t value, bool wide)
{
	if (!wide)
		value &= UINT32_MAX;
	for (unsigned i = 0; i < v->n; i++)
		if (v->v[i] == value)
			return;
	if (v->n < CANDIDATES)
		v->v[v->n++] = value;
}

/* Values on both sides of each condition on argument `index` of a call. */
static void collect(
    const struct subject *s, int number, unsigned index, struct values *v)
{
	const struct policy_arg *c;

	v->n = 0;
	add(v, 0, s->wide);
	for (unsigned n = 1; n <= 20 && number == 102 && index == 0; n++)
		add(v, n, s->wide); /* socketcall */
	add(v, 0x5a5a5a5a5a5a5a5a, s->wide);
	for (size_t i = 0; i < s->nrows; i++) {
		if (s->rows[i].number != row_number(s->arch, number))
			continue;
		for (unsigned j = 0; j < POLICY_ARGS; j++) {
			c = &s->rows[i].arg[j];
			if (!c->mask || c->index != index)
				continue;
			add(v, c->value, s->wide);
			add(v, c->value | ~c->mask, s->wide);
			add(v, c->value + 1, s->wide);
			add(v, c->value - 1, s->wide);
			add(v, c->value | (uint64_t)1 << 32, s->wide);
			add(v, c->value | (uint64_t)1 << 63, s->wide);
			add(v, c->value | 010000000, s->wide);
			add(v, c->value | 020000000, s->wide);
			add(v, ~c->value, s->wide);
		}
	}
}

/* Every combination of the values of the arguments 0 to 4. */
static unsigned compare_call(
    const struct subject *s, int number, unsigned *cases)
{
	struct values v[5];
	unsigned wrong = 0, i[5] = { 0 }, k;
	struct seccomp_data d = { .nr = number, .arch = s->arch };
	uint64_t args[6] = { 0 };

	for (k = 0; k < 5; k++)
		collect(s, number, k, &v[k]);
	do {
		for (k = 0; k < 5; k++)
			args[k] = d.args[k] = v[k].v[i[k]];
		++*cases;
		wrong += simulate(s, &d) != action(expected(s, number, args));
		for (k = 0; k < 5 && ++i[k] == v[k].n; k++)
			i[k] = 0;
	} while (k < 5);
	return wrong;
}

static void compare(const struct subject *s)
{
	unsigned wrong = 0, cases = 0, first = 0;

	for (int number = -1; number < NUMBER_MAX; number++) {
		unsigned w = compare_call(s, number, &cases);

		if (w && !wrong)
			first = (unsigned)number;
		wrong += w;
	}
	tap(wrong == 0 && cases > NUMBER_MAX * 32,
	    "%s on %s: filter of %zu instructions and table of %zu rows agree",
	    s->program, s->machine, s->nfilter, s->nrows);
	printf("# %u cases, %u wrong, first at call %u\n", cases, wrong, first);
}

/* The same numbers under another machine's name, and those of x32. */
static void foreign(const struct subject *s)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386,
		AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0 };
	uint32_t x32 = SECCOMP_RET_KILL_PROCESS;
	unsigned wrong = 0;
	struct seccomp_data d = { .arch = s->arch };

	for (unsigned i = 0; i < COUNT(archs); i++) {
		d.arch = archs[i];
		for (d.nr = 0; d.nr < NUMBER_MAX && d.arch != s->arch; d.nr++)
			wrong += simulate(s, &d) != SECCOMP_RET_KILL_PROCESS;
	}
	d.arch = s->arch;
	/* elsewhere than on x86_64 there are no such calls */
	if (s->otherwise && s->arch != AUDIT_ARCH_X86_64)
		x32 = action(s->otherwise);
	for (d.nr = 0x40000000; d.nr < 0x40000000 + NUMBER_MAX; d.nr++)
		wrong += simulate(s, &d) != x32;
	tap(wrong == 0, "%s on %s: other machines are killed, x32 is not there",
	    s->program, s->machine);
}

/* What the compiler relies on: refusals stand apart from what is allowed. */
static void disjoint(const struct subject *s)
{
	unsigned bad = 0;

	for (size_t i = 0; i < s->nrows; i++)
		for (size_t j = 0; j < i; j++)
			bad += s->rows[i].number == s->rows[j].number &&
			       (!s->rows[i].arg[0].mask ||
				   !s->rows[j].arg[0].mask);
	tap(bad == 0, "%s on %s: a row without conditions stands alone",
	    s->program, s->machine);
}

int main(void)
{
	for (unsigned i = 0; i < COUNT(subjects); i++) {
		compare(&subjects[i]);
		foreign(&subjects[i]);
		disjoint(&subjects[i]);
	}
	return tap_done();
}
