/*
 * A locked-in carrier, probed: sockets, a thread and a message it was handed
 * are there; files, programs and other processes are not, and what it may not
 * do fails and does not end it.
 */
#include "probe.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/un.h>

static int ruleset, message, listener;
static struct sandbox_level level;
static struct sockaddr_in there;
static pid_t bystander;

static int lock(void)
{
	return sandbox_enter(SANDBOX_CARRIER, ruleset);
}

static void set_up(void)
{
	socklen_t size = sizeof(there);

	make_file("file");
	must_be(mkdir("dir", 0700) == 0, "mkdir");
	message = open("file", O_RDONLY | O_CLOEXEC);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	there.sin_family = AF_INET;
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must_be(
	    message >= 0 && listener >= 0 &&
		bind(listener, (struct sockaddr *)&there, size) == 0 &&
		listen(listener, 5) == 0 &&
		getsockname(listener, (struct sockaddr *)&there, &size) == 0,
	    "listener");
	bystander = fork();
	must_be(bystander >= 0, "fork");
	if (bystander == 0)
		for (;;)
			pause();
}

/* --- what it is for ------------------------------------------------------ */

static int reads_message(void)
{
	char c;

	return pread(message, &c, 1, 0) == 1 && c == 'x' ? OK : WRONG;
}

static int calls(void)
{
	int fd;

	STEP(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	STEP(connect(fd, (struct sockaddr *)&there, sizeof(there)));
	return result(send(fd, "x", 1, MSG_NOSIGNAL));
}

static int asks(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd;

	STEP(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	STEP(bind(fd, (struct sockaddr *)&any, sizeof(any)));
	return result(
	    sendto(fd, "x", 1, 0, (struct sockaddr *)&there, sizeof(there)));
}

static void *in_thread(void *arg)
{
	*(int *)arg = calls();
	return NULL;
}

static int thread_calls(void)
{
	pthread_t thread;
	int end = WRONG;

	if (pthread_create(&thread, NULL, in_thread, &end) != 0)
		return WRONG;
	pthread_join(thread, NULL);
	return end;
}

static int polls(void)
{
	struct epoll_event e;
	int fd;

	STEP(fd = epoll_create1(EPOLL_CLOEXEC));
	return result(epoll_wait(fd, &e, 1, 0));
}

/* --- what an intruder would like ----------------------------------------- */

static int executes(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execv("/bin/true", argv));
}

PROBE(opens, open("file", O_RDONLY))
PROBE(opens_absolute, open("/etc/passwd", O_RDONLY))
PROBE(creates, open("new", O_WRONLY | O_CREAT, 0600))
PROBE(opens_how, syscall(437 /* openat2 */, -100, "file", NULL, 0))
PROBE(unlinks, unlink("file"))
PROBE(renames, rename("file", "other"))
PROBE(makes_dir, mkdir("other", 0700))
PROBE(changes_mode, chmod("file", 0777))
PROBE(truncates, truncate("file", 0))
PROBE(writes_message, write(message, "y", 1))
PROBE(listens, listen(socket(AF_INET, SOCK_STREAM, 0), 1))
PROBE(accepts, accept(listener, NULL, NULL))
PROBE(forks, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
PROBE(traces, ptrace(PTRACE_ATTACH, bystander, NULL, NULL))
PROBE(kills, kill(bystander, SIGKILL))
PROBE(packets, socket(AF_PACKET, SOCK_RAW, 0))
PROBE(netlink, socket(AF_NETLINK, SOCK_RAW, 0))
PROBE(becomes_root, setuid(0))
PROBE(mounts, syscall(SYS_mount, "none", "dir", "tmpfs", 0, NULL))
PROBE(keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
PROBE(bpf, syscall(SYS_bpf, 0, NULL, 0))

static int maps_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return OK;
	/* musl says so when the kernel says EPERM */
	return errno == ENOMEM ? EPERM : errno;
}

static int makes_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return WRONG;
	return result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static void *opens_there(void *arg)
{
	*(int *)arg = opens();
	return NULL;
}

static int thread_opens(void)
{
	pthread_t thread;
	int end = WRONG;

	if (pthread_create(&thread, NULL, opens_there, &end) != 0)
		return WRONG;
	pthread_join(thread, NULL);
	return end;
}

/* clang-format off */
static const struct probe probes[] = {
	{ "its message is read", reads_message, OK },
	{ "TCP to a stranger", calls, OK },
	{ "a question over UDP", asks, OK },
	{ "a thread that calls", thread_calls, OK },
	{ "epoll", polls, OK },
	{ "open", opens, EACCES },
	{ "open of /etc/passwd", opens_absolute, EACCES },
	{ "open in a thread", thread_opens, EACCES },
	{ "a new file", creates, EACCES },
	{ "openat2", opens_how, EPERM },
	{ "unlink", unlinks, EPERM },
	{ "rename", renames, EPERM },
	{ "mkdir", makes_dir, EPERM },
	{ "chmod", changes_mode, EPERM },
	{ "truncate", truncates, EPERM },
	{ "write to its message", writes_message, EBADF },
	{ "listen", listens, EPERM },
	{ "accept", accepts, EPERM },
	{ "execve", executes, EPERM },
	{ "fork", forks, EPERM },
	{ "ptrace", traces, EPERM },
	{ "kill", kills, EPERM },
	{ "AF_PACKET", packets, EPERM },
	{ "AF_NETLINK", netlink, EPERM },
	{ "setuid", becomes_root, EPERM },
	{ "mount", mounts, EPERM },
	{ "keyctl", keys, EPERM },
	{ "bpf", bpf, EPERM },
	{ "memory mapped as code", maps_code, EPERM },
	{ "memory made code", makes_code, EPERM },
};
/* clang-format on */

/* What Landlock does alone, should the filter have a hole. */
static int lock_by_landlock(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(446, ruleset, 0);
}

static const struct probe landlocked[] = {
	{ "open", opens, EACCES },
	{ "a new file", creates, EACCES },
	{ "unlink", unlinks, EACCES },
	{ "rename", renames, EACCES },
	{ "mkdir", makes_dir, EACCES },
	{ "execve", executes, EACCES },
	{ "its message is read", reads_message, OK },
	{ "TCP to a stranger", calls, OK },
	{ "a question over UDP", asks, OK },
};

static int no_landlock(void)
{
	pretend(444, EPERM, false);
	if (sandbox_prepare(SANDBOX_CARRIER, -1, &ruleset, &level) != 0 ||
	    ruleset != -1)
		return -1;
	return lock();
}

static const struct probe unlandlocked[] = {
	{ "open", opens, EACCES },
	{ "TCP to a stranger", calls, OK },
};

int main(void)
{
	make_work();
	set_up();
	must_be(sandbox_prepare(SANDBOX_CARRIER, -1, &ruleset, &level) == 0,
	    "sandbox_prepare");
	printf("# Landlock ABI %d\n", level.landlock_abi);
	run_probes("carrier", lock, probes, COUNT(probes));
	if (level.landlock_abi >= 4)
		run_probes("Landlock alone", lock_by_landlock, landlocked,
		    COUNT(landlocked));
	run_probes(
	    "no Landlock", no_landlock, unlandlocked, COUNT(unlandlocked));
	kill(bystander, SIGKILL);
	remove_work();
	return tap_done();
}
