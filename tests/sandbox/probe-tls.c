/*
 * A locked-in worker of tls, probed: connections that it is handed can be
 * read, written and waited for.  Files, new sockets, programs and other
 * processes are not there, and what it may not do fails and does not end it.
 */
#include "probe.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/un.h>

#include "sys/pair.h"

static int ruleset, epoll, work_fd, near, far;
static struct sandbox_level level;
static struct sockaddr_in there;
static pid_t bystander;

static int lock(void)
{
	return sandbox_enter(SANDBOX_TLS, ruleset);
}

static void set_up(void)
{
	socklen_t size = sizeof(there);
	int listener, v[2], out[2];

	make_file("file");
	must_be(mkdir("dir", 0700) == 0, "mkdir");
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	there.sin_family = AF_INET;
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must_be(
	    listener >= 0 &&
		bind(listener, (struct sockaddr *)&there, size) == 0 &&
		listen(listener, 5) == 0 &&
		getsockname(listener, (struct sockaddr *)&there, &size) == 0,
	    "listener");
	must_be(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0, "socketpair");
	near = v[0];
	far = v[1];
	must_be(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0, "socketpair");
	work_fd = v[0];
	out[0] = out[1] = far;
	for (unsigned i = 0; i < 40; i++) /* one for each probe that asks */
		must_be(pair_send(v[1], out) == 0, "pair_send");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	must_be(epoll >= 0, "epoll");
	bystander = fork();
	must_be(bystander >= 0, "fork");
	if (bystander == 0)
		for (;;)
			pause();
}

/* --- what it is for ------------------------------------------------------ */

static int takes(void)
{
	int fd[2];

	return pair_recv(work_fd, fd) == 1 && fd[0] >= 0 && fd[1] > fd[0]
		   ? OK
		   : WRONG;
}

static int passes_on(void)
{
	char c;

	STEP(fcntl(near, F_SETFL, O_NONBLOCK));
	STEP(write(far, "x", 1));
	if (read(near, &c, 1) != 1 || c != 'x')
		return WRONG;
	return result(shutdown(near, SHUT_WR));
}

static int waits(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	sigset_t none;

	sigemptyset(&none);
	STEP(epoll_ctl(epoll, EPOLL_CTL_ADD, near, &e));
	return result(epoll_pwait(epoll, &e, 1, 0, &none));
}

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

/* --- what an intruder would like ----------------------------------------- */

static int executes(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execv("/bin/true", argv));
}

PROBE(opens, open("file", O_RDONLY))
PROBE(opens_absolute, open("/etc/passwd", O_RDONLY))
PROBE(opens_memory, open("/proc/self/mem", O_RDWR))
PROBE(creates, open("new", O_WRONLY | O_CREAT, 0600))
PROBE(opens_how, syscall(437 /* openat2 */, -100, "file", NULL, 0))
PROBE(unlinks, unlink("file"))
PROBE(renames, rename("file", "other"))
PROBE(makes_dir, mkdir("other", 0700))
PROBE(makes_socket, socket(AF_INET, SOCK_STREAM, 0))
PROBE(makes_unix, socket(AF_UNIX, SOCK_STREAM, 0))
PROBE(connects, connect(near, (struct sockaddr *)&there, sizeof(there)))
PROBE(binds, bind(near, (struct sockaddr *)&there, sizeof(there)))
PROBE(listens, listen(near, 1))
PROBE(accepts, accept4(near, NULL, NULL, 0))
PROBE(sends_fd, pair_send(work_fd, (int[2]){ near, far }) == 0 ? 0 : -1)
PROBE(forks, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
PROBE(traces, ptrace(PTRACE_ATTACH, bystander, NULL, NULL))
PROBE(kills, kill(bystander, SIGKILL))
PROBE(reads_memory, syscall(SYS_process_vm_readv, bystander, 0, 0, 0, 0, 0))
PROBE(becomes_root, setuid(0))
PROBE(mounts, syscall(SYS_mount, "none", "dir", "tmpfs", 0, NULL))
PROBE(dumps, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
PROBE(keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
PROBE(bpf, syscall(SYS_bpf, 0, NULL, 0))
PROBE(rings, syscall(425, 8, NULL)) /* io_uring_setup */
PROBE(controls, fcntl(near, F_SETOWN, getpid()))

static int maps_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return OK;
	/* musl says so when the kernel says EPERM */
	return errno == ENOMEM ? EPERM : errno;
}

/* clang-format off */
static const struct probe probes[] = {
	{ "a connection is taken", takes, OK },
	{ "octets are passed on", passes_on, OK },
	{ "epoll", waits, OK },
	{ "memory", allocates, OK },
	{ "open", opens, EACCES },
	{ "open of /etc/passwd", opens_absolute, EACCES },
	{ "open of its memory", opens_memory, EACCES },
	{ "a new file", creates, EACCES },
	{ "openat2", opens_how, EPERM },
	{ "unlink", unlinks, EPERM },
	{ "rename", renames, EPERM },
	{ "mkdir", makes_dir, EPERM },
	{ "a socket", makes_socket, EPERM },
	{ "a unix socket", makes_unix, EPERM },
	{ "connect", connects, EPERM },
	{ "bind", binds, EPERM },
	{ "listen", listens, EPERM },
	{ "accept", accepts, EPERM },
	{ "a descriptor sent", sends_fd, EPERM },
	{ "execve", executes, EPERM },
	{ "fork", forks, EPERM },
	{ "ptrace", traces, EPERM },
	{ "kill", kills, EPERM },
	{ "process_vm_readv", reads_memory, EPERM },
	{ "setuid", becomes_root, EPERM },
	{ "mount", mounts, EPERM },
	{ "PR_SET_DUMPABLE", dumps, EPERM },
	{ "keyctl", keys, EPERM },
	{ "bpf", bpf, EPERM },
	{ "io_uring", rings, EPERM },
	{ "fcntl but for O_NONBLOCK", controls, EPERM },
	{ "memory mapped as code", maps_code, EPERM },
};
/* clang-format on */

/* What Landlock does alone, should the filter have a hole. */
static int lock_by_landlock(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(446, ruleset, 0);
}

static int calls(void)
{
	int fd;

	STEP(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	return result(connect(fd, (struct sockaddr *)&there, sizeof(there)));
}

static const struct probe landlocked[] = {
	{ "open", opens, EACCES },
	{ "a new file", creates, EACCES },
	{ "unlink", unlinks, EACCES },
	{ "rename", renames, EACCES },
	{ "mkdir", makes_dir, EACCES },
	{ "execve", executes, EACCES },
	{ "TCP to a stranger", calls, EACCES },
	{ "octets are passed on", passes_on, OK },
};

int main(void)
{
	make_work();
	set_up();
	must_be(sandbox_prepare(SANDBOX_TLS, -1, &ruleset, &level) == 0,
	    "sandbox_prepare");
	printf("# Landlock ABI %d\n", level.landlock_abi);
	run_probes("tls", lock, probes, COUNT(probes));
	if (level.landlock_abi >= 4)
		run_probes("Landlock alone", lock_by_landlock, landlocked,
		    COUNT(landlocked));
	kill(bystander, SIGKILL);
	remove_work();
	return tap_done();
}
