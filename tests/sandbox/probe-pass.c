/*
 * A locked-in pass, probed: the spool and what libraries read is there, and
 * processes of its own, which lock themselves in further.  Other files are not
 * changed, nothing is executed, nobody else is touched, and what it may not do
 * fails and does not end it.
 */
#include "probe.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

static int ruleset, carriers, message, listener;
static struct sandbox_level level, carriers_level;
static struct sockaddr_in there;
static pid_t bystander;

static int lock(void)
{
	return sandbox_enter(SANDBOX_PASS, ruleset);
}

static void set_up(void)
{
	socklen_t size = sizeof(there);

	make_file("file");
	must_be(mkdir("spool", 0700) == 0 && mkdir("spool/queue", 0700) == 0 &&
		    mkdir("spool/bad", 0700) == 0,
	    "mkdir");
	make_file("spool/queue/q1");
	message = open("spool/queue/q1", O_RDWR | O_CLOEXEC);
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

static void prepare(void)
{
	int spool = open("spool", O_PATH | O_DIRECTORY | O_CLOEXEC);

	must_be(spool >= 0 &&
		    sandbox_prepare(SANDBOX_PASS, spool, &ruleset, &level) == 0,
	    "sandbox_prepare");
	close(spool);
}

/* --- what it is for ------------------------------------------------------ */

static int works_on_messages(void)
{
	int fd, dir;
	char c;

	STEP(dir = open("spool/queue", O_RDONLY | O_DIRECTORY));
	STEP(fd = openat(dir, "q1", O_RDWR | O_NOFOLLOW));
	STEP(flock(fd, LOCK_EX | LOCK_NB));
	STEP(pwrite(fd, "y", 1, 0));
	STEP(fdatasync(fd));
	return pread(fd, &c, 1, 0) == 1 && c == 'y' ? OK : WRONG;
}

/* Once only: each probe works on the same directory. */
static int reports_and_removes(void)
{
	int fd, dir;

	STEP(dir = open("spool/queue", O_RDONLY | O_DIRECTORY));
	STEP(fd = openat(dir, "t1", O_RDWR | O_CREAT | O_EXCL, 0660));
	STEP(write(fd, "x", 1));
	STEP(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	STEP(syscall(SYS_renameat2, dir, "t1", dir, "r1", 1));
	STEP(fsync(fd));
	STEP(fsync(dir));
	return result(unlinkat(dir, "r1", 0));
}

static int moves_to_bad(void)
{
	int fd, dir;

	STEP(dir = open("spool/queue", O_RDONLY | O_DIRECTORY));
	STEP(fd = openat(dir, "q2", O_RDWR | O_CREAT | O_EXCL, 0660));
	STEP(close(fd));
	return result(
	    syscall(SYS_renameat2, dir, "q2", AT_FDCWD, "spool/bad/q2", 1));
}

static int buries(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		for (;;)
			pause();
	STEP(kill(pid, SIGKILL));
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? OK
								      : WRONG;
}

static int calls(void)
{
	int fd;

	STEP(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	return result(connect(fd, (struct sockaddr *)&there, sizeof(there)));
}

/* In a child that has locked itself in as a carrier. */
static int as_carrier(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		if (sandbox_prepare(
			SANDBOX_CARRIER, -1, &carriers, &carriers_level) != 0 ||
		    sandbox_enter(SANDBOX_CARRIER, carriers) != 0)
			_exit(NO_LOCK);
		_exit(run());
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return WRONG;
	return WEXITSTATUS(status);
}

static int carrier_calls(void)
{
	return as_carrier(calls);
}

PROBE(netlink, socket(AF_NETLINK, SOCK_RAW, 0))

static int carrier_asks(void)
{
	return as_carrier(netlink);
}

PROBE(reads, open("/etc/passwd", O_RDONLY))

static int carrier_reads(void)
{
	return as_carrier(reads);
}

static int maps(int prot)
{
	int fd;

	STEP(fd = open("/proc/self/exe", O_RDONLY));
	return mmap(NULL, 4096, prot, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno
									: OK;
}

static int loads_code(void)
{
	return maps(PROT_READ | PROT_EXEC);
}

static int writable_code(void)
{
	return maps(PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* --- what an intruder would like ----------------------------------------- */

static int executes(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execv("/bin/true", argv));
}

PROBE(writes, open("file", O_WRONLY))
PROBE(creates, open("new", O_WRONLY | O_CREAT, 0600))
PROBE(removes, unlinkat(AT_FDCWD, "file", 0))
PROBE(takes_in,
    syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "spool/bad/f", 1))
PROBE(gives_out,
    syscall(SYS_renameat2, AT_FDCWD, "spool/queue/q1", AT_FDCWD, "out", 1))
PROBE(links_out, linkat(AT_FDCWD, "spool/queue/q1", AT_FDCWD, "out", 0))
PROBE(makes_dir, mkdir("spool/other", 0700))
PROBE(makes_link, symlinkat("/etc/passwd", AT_FDCWD, "spool/queue/q3"))
PROBE(changes_mode, fchmod(message, 0777))
PROBE(changes_owner, fchown(message, 1, 1))
PROBE(kills, kill(bystander, SIGKILL))
PROBE(kills_all, kill(-1, SIGKILL))
PROBE(traces, ptrace(PTRACE_ATTACH, bystander, NULL, NULL))
PROBE(listens, listen(listener, 1))
PROBE(packets, socket(AF_PACKET, SOCK_RAW, 0))
PROBE(becomes_root, setuid(0))
PROBE(mounts, syscall(SYS_mount, "none", "spool", "tmpfs", 0, NULL))
PROBE(unshares, syscall(SYS_unshare, 0x10000000))
PROBE(bpf, syscall(SYS_bpf, 0, NULL, 0))
PROBE(memory_file, syscall(SYS_memfd_create, "x", 0))

/* clang-format off */
static const struct probe probes[] = {
	{ "a message: lock, read, write, sync", works_on_messages, OK },
	{ "a report is made, a message removed", reports_and_removes, OK },
	{ "what is no message goes to bad/", moves_to_bad, OK },
	{ "a child is made, killed, buried", buries, OK },
	{ "our own addresses", netlink, OK },
	{ "a child locks itself in, and calls", carrier_calls, OK },
	{ "... and opens nothing", carrier_reads, EACCES },
	{ "a file of the system is read", reads, OK },
	{ "a library is loaded", loads_code, OK },
	{ "execve", executes, EPERM },
	{ "mkdir", makes_dir, EPERM },
	{ "a symbolic link", makes_link, EPERM },
	{ "fchmod", changes_mode, EPERM },
	{ "fchown", changes_owner, EPERM },
	{ "everybody is killed", kills_all, EPERM },
	{ "ptrace", traces, EPERM },
	{ "listen", listens, EPERM },
	{ "AF_PACKET", packets, EPERM },
	{ "a child locks itself in, and asks the kernel", carrier_asks, EPERM },
	{ "setuid", becomes_root, EPERM },
	{ "mount", mounts, EPERM },
	{ "unshare", unshares, EPERM },
	{ "bpf", bpf, EPERM },
	{ "memfd_create", memory_file, EPERM },
	{ "memory that is written and executed", writable_code, EPERM },
};

/* What Landlock adds. */
static const struct probe walled[] = {
	{ "another file is written", writes, EACCES },
	{ "another file is made", creates, EACCES },
	{ "another file is removed", removes, EACCES },
	{ "a file comes into the spool", takes_in, EACCES },
	{ "a message leaves the spool", gives_out, EACCES },
	{ "... by a link", links_out, EACCES },
};
/* clang-format on */

static const struct probe scoped[] = {
	{ "a bystander is killed", kills, EPERM },
};

static int no_landlock(void)
{
	pretend(444, EPERM, false);
	if (sandbox_prepare(SANDBOX_PASS, -1, &ruleset, &level) != 0 ||
	    ruleset != -1)
		return -1;
	return lock();
}

static const struct probe unlandlocked[] = {
	{ "a message: lock, read, write, sync", works_on_messages, OK },
	{ "execve", executes, EPERM },
};

int main(void)
{
	make_work();
	set_up();
	prepare();
	printf("# Landlock ABI %d\n", level.landlock_abi);
	run_probes("pass", lock, probes, COUNT(probes));
	if (level.landlock_abi >= 2)
		run_probes("pass", lock, walled, COUNT(walled));
	if (level.landlock_abi >= 6)
		run_probes("pass", lock, scoped, COUNT(scoped));
	run_probes(
	    "no Landlock", no_landlock, unlandlocked, COUNT(unlandlocked));
	kill(bystander, SIGKILL);
	remove_work();
	return tap_done();
}
