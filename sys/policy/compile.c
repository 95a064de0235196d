/*
 * policy: compiles the policies into BPF for every machine postern runs on
 * and prints them as a C header.  Runs on the build machine; the only file
 * that knows libseccomp.
 *
 *	policy [-v]		-v: a summary on standard error
 *
 * With SANDBOX_TABLES defined the header also shows every machine's filters
 * at once, each with the rows it was made from, names resolved: for tests.
 */
#include <err.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"

enum {
	PROGRAM_MAX = 4096, /* instructions, the kernel's BPF_MAXINSNS */
	BINARY_TREE = 2,    /* of SCMP_FLTATR_CTL_OPTIMIZE */
	/* Socket calls that i386 also has as numbers of socketcall(2). */
	MUX_FIRST = -101,
	MUX_LAST = -120
};

static const struct machine {
	const char *name;
	const char *condition; /* of the preprocessor */
	const char *audit;
	uint32_t arch;
	enum policy_where width;
} machines[] = {
	{ "x86_64", "defined(__x86_64__) && !defined(__ILP32__)",
	    "AUDIT_ARCH_X86_64", SCMP_ARCH_X86_64, WIDE },
	{ "aarch64", "defined(__AARCH64EL__) && !defined(__ILP32__)",
	    "AUDIT_ARCH_AARCH64", SCMP_ARCH_AARCH64, WIDE },
	{ "arm", "defined(__ARMEL__) && defined(__ARM_EABI__)",
	    "AUDIT_ARCH_ARM", SCMP_ARCH_ARM, NARROW },
	{ "x86", "defined(__i386__)", "AUDIT_ARCH_I386", SCMP_ARCH_X86,
	    NARROW },
	{ "riscv64", "defined(__riscv) && __riscv_xlen == 64",
	    "AUDIT_ARCH_RISCV64", SCMP_ARCH_RISCV64, WIDE },
};

static const struct policy *const policies[] = { &policy_smtpd, &policy_deliver,
	&policy_pass, &policy_carrier, &policy_tls };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

/* The number of a row's call on a machine; false where it does not apply. */
static bool resolve(
    const struct policy_rule *r, const struct machine *m, int *number)
{
	if (r->where != ANYWHERE && r->where != m->width)
		return false;
	*number = seccomp_syscall_resolve_name_arch(m->arch, r->name);
	return *number >= 0 || (*number <= MUX_FIRST && *number >= MUX_LAST);
}

static unsigned conditions(
    const struct policy_rule *r, struct scmp_arg_cmp cmp[POLICY_ARGS])
{
	unsigned n = 0;

	for (; n < POLICY_ARGS && r->arg[n].mask != 0; n++)
		cmp[n] = (struct scmp_arg_cmp){ r->arg[n].index,
			SCMP_CMP_MASKED_EQ, r->arg[n].mask, r->arg[n].value };
	return n;
}

/* libseccomp wants the build machine's number and translates it itself. */
static void add_rule(scmp_filter_ctx ctx, const struct policy_rule *r)
{
	struct scmp_arg_cmp cmp[POLICY_ARGS];
	unsigned n = conditions(r, cmp);
	uint32_t action = SCMP_ACT_ALLOW;
	int number = seccomp_syscall_resolve_name(r->name);

	if (number == __NR_SCMP_ERROR)
		errx(1, "%s: no such system call", r->name);
	if (r->refusal)
		action = SCMP_ACT_ERRNO((uint16_t)r->refusal);
	check(seccomp_rule_add_array(ctx, action, number, n, cmp), r->name);
}

/*
 * libseccomp loads and tests the upper half of an argument even where the mask
 * has no bit there: "ld; and 0; jeq 0", which always goes on to the next
 * instruction.  A third of smtpd's filter would be such triples.
 */
static bool idle_triple(const struct sock_filter *f)
{
	return f[0].code == (BPF_LD | BPF_W | BPF_ABS) &&
	       f[1].code == (BPF_ALU | BPF_AND | BPF_K) && f[1].k == 0 &&
	       f[2].code == (BPF_JMP | BPF_JEQ | BPF_K) && f[2].k == 0 &&
	       f[2].jt == 0 && f[3].code == (BPF_LD | BPF_W | BPF_ABS);
}

/* Takes them out; jumps are forward and relative.  Returns what is left. */
static size_t squeeze(struct sock_filter *f, size_t n)
{
	static size_t place[PROGRAM_MAX + 1];
	size_t kept = 0, gone = 0;

	for (size_t i = 0; i < n; i++) {
		if (gone == 0 && i + 3 < n && idle_triple(&f[i]))
			gone = 3;
		place[i] = kept;
		if (gone > 0)
			gone--;
		else
			kept++;
	}
	place[n] = kept;
	for (size_t i = 0; i < n; i++) {
		if (place[i + 1] == place[i])
			continue;
		f[place[i]] = f[i];
		if (BPF_CLASS(f[i].code) != BPF_JMP)
			continue;
		if (BPF_OP(f[i].code) == BPF_JA) {
			f[place[i]].k =
			    (uint32_t)(place[i + 1 + f[i].k] - place[i] - 1);
			continue;
		}
		f[place[i]].jt =
		    (uint8_t)(place[i + 1 + f[i].jt] - place[i] - 1);
		f[place[i]].jf =
		    (uint8_t)(place[i + 1 + f[i].jf] - place[i] - 1);
	}
	return kept;
}

/* Returns how many instructions there are in `f`. */
static size_t compile(const struct policy *p, const struct machine *m,
    struct sock_filter f[PROGRAM_MAX])
{
	scmp_filter_ctx ctx =
	    seccomp_init(p->otherwise ? SCMP_ACT_ERRNO((uint16_t)p->otherwise)
				      : SCMP_ACT_KILL_PROCESS);
	FILE *out = tmpfile();
	size_t n;
	int number;

	if (!ctx || !out)
		err(1, "compile");
	check(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), "arch_remove");
	check(seccomp_arch_add(ctx, m->arch), m->name);
	check(seccomp_attr_set(
		  ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
	    "badarch");
	check(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE),
	    "optimize");
	for (unsigned i = 0; i < p->n; i++)
		if (resolve(&p->rules[i], m, &number))
			add_rule(ctx, &p->rules[i]);
	check(seccomp_export_bpf(ctx, fileno(out)), "export");
	rewind(out);
	n = fread(f, sizeof(*f), PROGRAM_MAX, out);
	if (ferror(out) || n == 0 || n == PROGRAM_MAX)
		errx(1, "%s %s: no program", p->program, m->name);
	fclose(out);
	seccomp_release(ctx);
	return squeeze(f, n);
}

static void print_filter(const struct policy *p, const struct machine *m,
    const struct sock_filter *f, size_t n)
{
	printf("static const struct sock_filter %s_%s[] = {\n", p->program,
	    m->name);
	for (size_t i = 0; i < n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08xu },\n", f[i].code, f[i].jt,
		    f[i].jf, f[i].k);
	puts("};");
}

static void print_rows(const struct policy *p, const struct machine *m)
{
	const struct policy_rule *r;
	int number;

	printf("static const struct sandbox_row %s_%s_rows[] = {\n", p->program,
	    m->name);
	for (unsigned i = 0; i < p->n; i++) {
		r = &p->rules[i];
		if (!resolve(r, m, &number))
			continue;
		printf("\t{ \"%s\", %d, %d, {", r->name, number, r->refusal);
		for (unsigned a = 0; a < POLICY_ARGS; a++)
			printf("%s { 0x%jxu, 0x%jxu, %u }", a ? "," : "",
			    (uintmax_t)r->arg[a].mask,
			    (uintmax_t)r->arg[a].value, r->arg[a].index);
		puts(" } },");
	}
	puts("};");
}

/* What becomes of a call that no row names: 0 kills. */
static void print_otherwise(void)
{
	puts("#ifdef SANDBOX_TABLES\nenum {");
	for (unsigned i = 0; i < COUNT(policies); i++)
		printf("\t%s_otherwise = %d,\n", policies[i]->program,
		    policies[i]->otherwise);
	puts("};\n#endif");
}

static void print_machine(const struct machine *m, bool verbose)
{
	static struct sock_filter f[PROGRAM_MAX];
	size_t n;

	printf("\n#if defined(SANDBOX_TABLES) || (%s)\n", m->condition);
	for (unsigned i = 0; i < COUNT(policies); i++) {
		n = compile(policies[i], m, f);
		print_filter(policies[i], m, f, n);
		if (verbose)
			fprintf(stderr, "%-8s %-8s %4zu instructions\n",
			    policies[i]->program, m->name, n);
	}
	puts("#endif\n#ifdef SANDBOX_TABLES");
	for (unsigned i = 0; i < COUNT(policies); i++)
		print_rows(policies[i], m);
	puts("#endif");
}

/* What this build runs on, for sys/sandbox.c; 0 where there is no filter. */
static void print_choice(void)
{
	const struct machine *m;

	puts("");
	for (unsigned i = 0; i < COUNT(machines); i++) {
		m = &machines[i];
		printf("#%s %s\n#define SANDBOX_ARCH %s\n", i ? "elif" : "if",
		    m->condition, m->audit);
		printf(
		    "#define SANDBOX_FILTER(program) program##_%s\n", m->name);
		printf("#define SANDBOX_ROWS(program) program##_%s_rows\n",
		    m->name);
	}
	puts("#else\n"
	     "#define SANDBOX_ARCH 0\n"
	     "#define SANDBOX_FILTER(program) no_filter\n"
	     "static const struct sock_filter no_filter[] = {\n"
	     "\t{ 0x06, 0, 0, 0x80000000u }, /* kills */\n"
	     "};\n"
	     "#endif");
}

int main(int argc, char **argv)
{
	bool verbose = argc == 2 && strcmp(argv[1], "-v") == 0;

	if (argc != 1 && !verbose)
		errx(64, "usage: policy [-v]");
	puts("/* Made by sys/policy/compile.c from the tables beside it. */\n"
	     "#include <linux/audit.h>\n"
	     "#include <linux/filter.h>\n"
	     "#ifdef SANDBOX_TABLES\n"
	     "#include \"sys/policy/policy.h\"\n"
	     "struct sandbox_row {\n"
	     "\tconst char *name;\n"
	     "\tint number;\n"
	     "\tint refusal;\n"
	     "\tstruct policy_arg arg[POLICY_ARGS];\n"
	     "};\n"
	     "#endif");
	print_otherwise();
	for (unsigned i = 0; i < COUNT(machines); i++)
		print_machine(&machines[i], verbose);
	print_choice();
	if (fflush(stdout) || ferror(stdout))
		err(1, "standard output");
	return 0;
}
