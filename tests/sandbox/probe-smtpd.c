/*
 * A locked-in smtpd, probed: what it must do it can, and of what an intruder
 * would like each thing fails in the one way it should.
 */
#include "smtpd.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>

#ifdef SYS_newfstatat
#define STAT_CALL SYS_newfstatat
#define FSTAT_CALL SYS_fstat
#else
#define STAT_CALL SYS_fstatat64
#define FSTAT_CALL SYS_fstat64
#endif

/* The upper half of a register, where there is one. */
#if UINTPTR_MAX > UINT32_MAX
#define DIRT (1L << 32)
#else
#define DIRT 0L
#endif

static pid_t bystander; /* a process that may be signalled */

/* --- what it is for ------------------------------------------------------ */

static int creates(void)
{
	return result(openat(SANDBOX_SPOOL_FD, "created", NEW, 0660));
}

/* A dialogue: the other end of fd 0 is CLIENT_SIDE. */
static int dialogue(void)
{
	struct pollfd p = { 0, POLLIN, 0 };
	char b[8];
	struct iovec v[2] = { { (char[]){ "220 " }, 4 },
		{ (char[]){ "hello\r\n" }, 7 } };

	STEP(writev(0, v, 2));
	STEP(write(CLIENT_SIDE, "QUIT\r\n", 6));
	if (poll(&p, 1, 1000) != 1 || read(0, b, sizeof(b)) != 6)
		return WRONG;
	return result(shutdown(0, SHUT_WR));
}

static int both_peers(void)
{
	if (sends(SANDBOX_DELIVER_FD, -1) != OK ||
	    sends(SANDBOX_PARENT_FD, -1) != OK)
		return WRONG;
	if (receives(SANDBOX_DELIVER_FD) != EAGAIN)
		return WRONG;
	return receives(SANDBOX_PARENT_FD) == EAGAIN ? OK : WRONG;
}

static int looks_around(void)
{
	struct timespec t;
	struct statfs f;
	char b[256];

	STEP(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
	STEP(syscall(SYS_getrandom, b, sizeof(b), 0));
	STEP(fstatfs(SANDBOX_SPOOL_FD, &f));
	STEP(syscall(FSTAT_CALL, SANDBOX_SPOOL_FD, b));
	return OK;
}

/* smtpd allocates nothing, but glibc may; musl's malloc would need mprotect. */
#ifdef __GLIBC__
static int allocates(void)
{
	for (size_t n = 1; n < 4 * 1024 * 1024; n *= 4) {
		char *volatile p = malloc(n);

		if (!p)
			return WRONG;
		memset(p, 1, n);
		free(p);
	}
	return OK;
}

#endif

static int memory_is_bounded(void)
{
	return mmap(NULL, 256 * 1024 * 1024, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? errno
		   : OK;
}

/* --- files ----------------------------------------------------------------*/

PROBE(open_passwd, open("/etc/passwd", O_RDONLY))
PROBE(open_cwd, openat(AT_FDCWD, "queue/new", NEW, 0600))
PROBE(open_raw, syscall(SYS_openat, SANDBOX_SPOOL_FD, "/etc/passwd", O_RDONLY))
PROBE(open_other_fd, openat(OTHER_FD, "new", NEW, 0600))
PROBE(open_existing, openat(SANDBOX_SPOOL_FD, "existing", O_RDWR))
PROBE(open_existing_excl, openat(SANDBOX_SPOOL_FD, "existing", NEW, 0600))
PROBE(open_creat, openat(SANDBOX_SPOOL_FD, "new", O_RDWR | O_CREAT, 0600))
PROBE(open_excl, openat(SANDBOX_SPOOL_FD, "existing", O_RDWR | O_EXCL))
PROBE(open_list, openat(SANDBOX_SPOOL_FD, ".", O_RDONLY | O_DIRECTORY))
PROBE(open_path,
    openat(SANDBOX_SPOOL_FD, "/etc/shadow", O_PATH | O_CREAT | O_EXCL, 0))
PROBE(open_tmpfile, openat(SANDBOX_SPOOL_FD, ".", O_TMPFILE | O_RDWR, 0600))
PROBE(open_tmpfile_creat,
    openat(SANDBOX_SPOOL_FD, ".", O_TMPFILE | O_CREAT | O_EXCL | O_RDWR, 0600))
/* The kernel looks at the low half of a descriptor and of flags. */
PROBE(open_dirty_fd,
    syscall(SYS_openat, DIRT | SANDBOX_SPOOL_FD, "dirty", NEW, 0600))
PROBE(open_dirty_other, syscall(SYS_openat, DIRT | OTHER_FD, "new", NEW, 0600))
PROBE(open_dirty_flags, syscall(SYS_openat, SANDBOX_SPOOL_FD, "existing",
			    (long)(O_CREAT | O_EXCL) * DIRT | O_RDWR, 0600))
PROBE(list, syscall(SYS_getdents64, SANDBOX_SPOOL_FD, outside, 64))
PROBE(link_out, linkat(SANDBOX_SPOOL_FD, "existing", OTHER_FD, "new", 0))
PROBE(link_in, linkat(OTHER_FD, "secret", SANDBOX_SPOOL_FD, "in", 0))
PROBE(link_flags,
    linkat(SANDBOX_SPOOL_FD, "", SANDBOX_SPOOL_FD, "in", AT_EMPTY_PATH))
PROBE(rename_over, syscall(SYS_renameat2, SANDBOX_SPOOL_FD, "existing",
		       SANDBOX_SPOOL_FD, "new", 0))
PROBE(rename_exchange, syscall(SYS_renameat2, SANDBOX_SPOOL_FD, "existing",
			   SANDBOX_SPOOL_FD, "new", 2))
PROBE(unlink_dir, unlinkat(SANDBOX_SPOOL_FD, "x", AT_REMOVEDIR))
PROBE(make_dir, mkdirat(SANDBOX_SPOOL_FD, "d", 0700))
PROBE(make_symlink, symlinkat("/etc/passwd", SANDBOX_SPOOL_FD, "s"))
PROBE(make_fifo, mknodat(SANDBOX_SPOOL_FD, "f", S_IFIFO | 0600, 0))
PROBE(read_link, readlinkat(SANDBOX_SPOOL_FD, "existing", outside, 8))
PROBE(empties, ftruncate(2, 0))
PROBE(change_mode, fchmod(SANDBOX_SPOOL_FD, 0777))
PROBE(change_dir, chdir("/"))
PROBE(new_root, chroot("/"))
PROBE(stat_shadow, syscall(STAT_CALL, AT_FDCWD, "/etc/shadow", outside, 0))
PROBE(statx_shadow, syscall(SYS_statx, AT_FDCWD, "/etc/shadow", 0, 0, outside))
PROBE(lock_and_wait, flock(SANDBOX_SPOOL_FD, LOCK_EX))
PROBE(unlocks, flock(SANDBOX_SPOOL_FD, LOCK_UN))
PROBE(read_xattr, getxattr("/etc/passwd", "user.x", outside, 8))
PROBE(new_openat2, syscall(437, SANDBOX_SPOOL_FD, "existing", outside, 24))

/* --- the network, processes, code, the kernel ---------------------------- */

PROBE(make_inet, socket(AF_INET, SOCK_STREAM, 0))
PROBE(make_unix, socket(AF_UNIX, SOCK_STREAM, 0))
PROBE(make_udp, socket(AF_INET, SOCK_DGRAM, 0))
PROBE(make_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0, 0 }))
#ifndef SYS_socketcall
PROBE(make_other_pair, socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }))
#endif
PROBE(connects, connect(0, &(struct sockaddr){ .sa_family = AF_UNSPEC },
		    sizeof(struct sockaddr)))
PROBE(binds, bind(0, &(struct sockaddr){ .sa_family = AF_UNIX }, 2))
PROBE(listens, listen(0, 1))
PROBE(accepts, accept4(0, NULL, NULL, 0))
PROBE(sends_elsewhere, sendto(0, "x", 1, 0, NULL, 0))
PROBE(receives_elsewhere, recvfrom(0, outside, 1, MSG_DONTWAIT, NULL, NULL))
PROBE(options, setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, 4))

#ifndef SYS_socketcall
static int message_to_client(void)
{
	return sends(0, -1);
}

static int message_from_client(void)
{
	return receives(0);
}
#endif

static int executes(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execv("/bin/true", argv));
}

PROBE(executes_fd, syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH))
PROBE(forks, fork())
PROBE(clones3, syscall(435, outside, 64))
PROBE(executable, mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		      ? -1
		      : 0)
PROBE(shared, mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		  ? -1
		  : 0)
PROBE(file_mapped,
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0) == MAP_FAILED ? -1 : 0)
PROBE(fixed, mmap(outside, 4096, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
		 ? -1
		 : 0)
PROBE(made_executable, mprotect(outside, 1, PROT_READ | PROT_EXEC))
PROBE(made_writable, mprotect(outside, 1, PROT_READ | PROT_WRITE))
PROBE(memory_file, syscall(SYS_memfd_create, "x", 0))
PROBE(traces, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
PROBE(attaches, ptrace(PTRACE_ATTACH, bystander, NULL, NULL))
PROBE(kills, kill(bystander, SIGKILL))
PROBE(kills_itself, syscall(SYS_tgkill, getpid(), getpid(), SIGKILL))
PROBE(unshares, unshare(CLONE_NEWUSER))
PROBE(enters, setns(0, 0))
PROBE(mounts, syscall(SYS_mount, 0, 0, 0, 0, 0))
PROBE(rings, syscall(425, 8, outside)) /* io_uring_setup */
PROBE(programs_kernel, syscall(SYS_bpf, 0, outside, 64))
PROBE(keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
PROBE(reads_memory, syscall(SYS_process_vm_readv, bystander, 0, 0, 0, 0, 0))
PROBE(faults, syscall(SYS_userfaultfd, 0))
PROBE(takes_fd, syscall(438, 0, 0, 0)) /* pidfd_getfd */
PROBE(counts, syscall(SYS_perf_event_open, 0, 0, 0, 0, 0))
PROBE(loads_module, syscall(SYS_finit_module, 0, 0, 0))
PROBE(controls_terminal, syscall(SYS_ioctl, 0, 0x5412, outside))
PROBE(becomes_root, setuid(0))
PROBE(duplicates, dup2(0, SANDBOX_DELIVER_FD))
PROBE(raises_limit, setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 }))
PROBE(process_control, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
PROBE(another_filter, syscall(SYS_seccomp, 1, 0, 0))
PROBE(sets_clock, syscall(SYS_clock_settime, 0, 0))

/* clang-format off */
static const struct probe probes[] = {
	{ "a message is written, named, passed on and removed", message, OK },
	{ "a dialogue with the client", dialogue, OK },
	{ "messages to deliver and to the parent", both_peers, OK },
	{ "clock, random, room, size", looks_around, OK },
#ifdef __GLIBC__
	{ "malloc of up to 4 MiB", allocates, OK },
#endif
	{ "256 MiB of memory", memory_is_bounded, ENOMEM },
	{ "open of /etc/passwd", open_passwd, EACCES },
	{ "open below the working directory", open_cwd, EACCES },
	{ "open of /etc/passwd by the queue's descriptor", open_raw, KILLED },
	{ "create by another descriptor", open_other_fd, KILLED },
	{ "open of a queue file that exists", open_existing, KILLED },
	{ "create of a queue file that exists", open_existing_excl, EEXIST },
	{ "create without O_EXCL", open_creat, KILLED },
	{ "O_EXCL without create", open_excl, KILLED },
	{ "open of the queue for listing", open_list, KILLED },
	{ "O_PATH|O_CREAT|O_EXCL", open_path, KILLED },
	{ "O_TMPFILE", open_tmpfile, KILLED },
	{ "O_TMPFILE|O_CREAT|O_EXCL", open_tmpfile_creat, KILLED },
	{ "the queue with a dirty upper half creates there", open_dirty_fd, OK },
	{ "another directory with a dirty upper half", open_dirty_other, KILLED },
	{ "flags in the upper half", open_dirty_flags, KILLED },
	{ "list of the queue", list, KILLED },
	{ "link out of the queue", link_out, KILLED },
	{ "link from another directory", link_in, KILLED },
	{ "link with AT_EMPTY_PATH", link_flags, KILLED },
	{ "rename that may replace", rename_over, KILLED },
	{ "rename that exchanges", rename_exchange, KILLED },
	{ "rmdir", unlink_dir, KILLED },
	{ "mkdir in the queue", make_dir, KILLED },
	{ "symlink in the queue", make_symlink, KILLED },
	{ "fifo in the queue", make_fifo, KILLED },
	{ "readlink", read_link, KILLED },
	{ "ftruncate of the log", empties, KILLED },
	{ "fchmod of the queue", change_mode, KILLED },
	{ "chdir", change_dir, KILLED },
	{ "chroot", new_root, KILLED },
	{ "stat of /etc/shadow", stat_shadow, EACCES },
	{ "statx of /etc/shadow", statx_shadow, ENOSYS },
	{ "flock that waits", lock_and_wait, KILLED },
	{ "flock that gives up a lock", unlocks, KILLED },
	{ "getxattr", read_xattr, KILLED },
	{ "openat2", new_openat2, KILLED },
	{ "socket of AF_INET", make_inet, KILLED },
	{ "socket for UDP", make_udp, KILLED },
	{ "socket of AF_UNIX", make_unix, KILLED },
	{ "a pair of its own, for tls", make_pair, OK },
#ifndef SYS_socketcall
	{ "socketpair of another family", make_other_pair, KILLED },
#endif
	{ "connect elsewhere", connects, KILLED },
	{ "bind", binds, KILLED },
	{ "listen", listens, KILLED },
	{ "accept", accepts, KILLED },
	{ "sendto", sends_elsewhere, KILLED },
	{ "recvfrom", receives_elsewhere, KILLED },
#ifndef SYS_socketcall	/* whose arguments no filter sees */
	{ "sendmsg to the client", message_to_client, KILLED },
	{ "recvmsg from the client", message_from_client, KILLED },
#endif
	{ "setsockopt", options, KILLED },
	{ "execve", executes, KILLED },
	{ "execveat", executes_fd, KILLED },
	{ "fork", forks, KILLED },
	{ "clone3", clones3, KILLED },
	{ "mmap PROT_EXEC", executable, KILLED },
	{ "mmap shared", shared, KILLED },
	{ "mmap of a file", file_mapped, KILLED },
	{ "mmap over what is there", fixed, KILLED },
	{ "mprotect +X", made_executable, KILLED },
	{ "mprotect +W", made_writable, KILLED },
	{ "memfd_create", memory_file, KILLED },
	{ "ptrace(TRACEME)", traces, KILLED },
	{ "ptrace(ATTACH)", attaches, KILLED },
	{ "kill of another process", kills, KILLED },
	{ "kill of itself", kills_itself, KILLED },
	{ "unshare", unshares, KILLED },
	{ "setns", enters, KILLED },
	{ "mount", mounts, KILLED },
	{ "io_uring_setup", rings, KILLED },
	{ "bpf", programs_kernel, KILLED },
	{ "keyctl", keys, KILLED },
	{ "process_vm_readv", reads_memory, KILLED },
	{ "userfaultfd", faults, KILLED },
	{ "pidfd_getfd", takes_fd, KILLED },
	{ "perf_event_open", counts, KILLED },
	{ "finit_module", loads_module, KILLED },
	{ "ioctl TIOCSTI", controls_terminal, ENOTTY },
	{ "setuid(0)", becomes_root, KILLED },
	{ "dup2 over deliver's descriptor", duplicates, KILLED },
	{ "setrlimit", raises_limit, KILLED },
	{ "prctl(DUMPABLE)", process_control, KILLED },
	{ "seccomp", another_filter, KILLED },
	{ "clock_settime", sets_clock, KILLED },
#ifdef __x86_64__
	{ "int 0x80", old_gate, KILLED },
	{ "x32", x32, KILLED },
#endif
};

/* clang-format on */

int main(void)
{
	make_work();
	set_up();
	bystander = fork();
	must_be(bystander >= 0, "fork");
	if (bystander == 0)
		for (;;)
			pause();
	must_be(prepare() == 0, "sandbox_prepare");
	printf("# Landlock ABI %d\n", level.landlock_abi);
	run_probes("smtpd", lock, probes, COUNT(probes));
	tap(waitpid(bystander, NULL, WNOHANG) == 0, "the bystander lives");
	kill(bystander, SIGKILL);
	tap(creates() == OK && access("other/secret", F_OK) == 0 &&
		access("other/new", F_OK) != 0,
	    "nothing changed outside");
	remove_work();
	return tap_done();
}
