/*
 * A locked-in deliver, probed: the poller and its workers do all they are
 * for, and of what an intruder would like each thing fails in the one way it
 * should.
 */
#include "probe.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <time.h>

static int ruleset, listener;
static struct sandbox_level level;
static pid_t bystander; /* made before the lock-down */
static char area[128];

static int lock(void)
{
	return sandbox_enter(SANDBOX_DELIVER, ruleset);
}

static int bind_unix(const char *name, size_t n, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	socklen_t size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

	memcpy(a.sun_path, name, n);
	must_be(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 &&
		    listen(fd, 5) == 0,
	    "listener");
	return fd;
}

static void set_up(void)
{
	char name[64];
	int n;

	listener = bind_unix("lmtp", 4, SOCK_STREAM);
	n = snprintf(name, sizeof(name), "_postern-test-%d", (int)getpid());
	name[0] = '\0';
	(void)bind_unix(name, (size_t)n, SOCK_STREAM);
	make_file("file");
	must_be(mkdir("Maildir", 0700) == 0, "mkdir");
	bystander = fork();
	must_be(bystander >= 0, "fork");
	if (bystander == 0)
		for (;;)
			pause();
}

static int dial(const char *name, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	STEP(fd);
	memcpy(a.sun_path, name, n);
	return result(connect(fd, (struct sockaddr *)&a,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)));
}

/* --- what it is for ------------------------------------------------------ */

static int maildir(void)
{
	int dir, fd;

	STEP(dir = open("Maildir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	(void)umask(077);
	STEP(mkdirat(dir, "tmp", 0700));
	STEP(mkdirat(dir, "new", 0700));
	STEP(fd = openat(
		 dir, "tmp/1", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
	STEP(write(fd, "message\n", 8));
	STEP(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	STEP(syscall(SYS_renameat2, dir, "tmp/1", dir, "new/1", 1));
	STEP(renameat(dir, "new/1", dir, "tmp/1"));
	STEP(linkat(dir, "tmp/1", dir, "new/1", 0));
	STEP(unlinkat(dir, "tmp/1", 0));
	STEP(fsync(fd));
	STEP(fsync(dir));
	STEP(fchmod(fd, 0640));
	STEP(futimens(fd, NULL));
	STEP(unlinkat(dir, "new/1", 0));
	STEP(unlinkat(dir, "new", AT_REMOVEDIR));
	return result(unlinkat(dir, "tmp", AT_REMOVEDIR));
}

static int mailbox(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct timespec t = { 0, 1000 };
	struct stat st;
	int fd;

	STEP(fd = open("mbox", O_RDWR | O_CREAT | O_APPEND, 0600));
	STEP(link("file", "mbox.lock"));
	STEP(fcntl(fd, F_SETLKW, &l));
	STEP(flock(fd, LOCK_EX));
	STEP(fstat(fd, &st));
	STEP(lstat("mbox.lock", &st));
	STEP(write(fd, "From \n", 6));
	STEP(lseek(fd, 0, SEEK_SET));
	STEP(fdatasync(fd));
	STEP(ftruncate(fd, 0));
	STEP(nanosleep(&t, NULL));
	STEP(unlink("mbox.lock"));
	return result(unlink("mbox"));
}

static int directory(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	if (!d)
		return errno;
	while (readdir(d))
		n++;
	closedir(d);
	return n >= 3 ? OK : WRONG;
}

static int room(void)
{
	struct statfs f;
	struct stat st;

	STEP(statfs(".", &f));
	STEP(stat("/etc/passwd", &st));
	return result(fstatfs(listener, &f));
}

static int loop(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int v[2], ep, peer = 1;

	STEP(ep = epoll_create1(EPOLL_CLOEXEC));
	STEP(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, v));
	STEP(setsockopt(v[0], SOL_SOCKET, SO_SNDBUF, &peer, sizeof(peer)));
	STEP(epoll_ctl(ep, EPOLL_CTL_ADD, v[0], &e));
	STEP(send(v[1], "L", 1, MSG_NOSIGNAL));
	if (epoll_wait(ep, &e, 1, 1000) != 1)
		return WRONG;
	STEP(epoll_ctl(ep, EPOLL_CTL_DEL, v[0], NULL));
	STEP(recv(v[0], &peer, 1, MSG_DONTWAIT));
	STEP(fcntl(v[0], F_SETFL, O_NONBLOCK));
	return result(fcntl(v[0], F_DUPFD_CLOEXEC, 40));
}

static int accepts(void)
{
	struct {
		pid_t pid;
		uid_t uid;
		gid_t gid;
	} peer;
	socklen_t n = sizeof(peer);
	int fd, r = dial("lmtp", 4);

	if (r != OK)
		return r;
	STEP(fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	STEP(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n));
	return peer.uid == getuid() ? OK : WRONG;
}

/* A worker: forked, it forks again, sets its death, and is killed. */
static int worker(void)
{
	int v[2], status;
	char b;
	pid_t pid;

	STEP(pipe2(v, O_CLOEXEC));
	STEP(pid = fork());
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
			_exit(1);
		(void)!write(v[1], "x", 1);
		for (;;)
			poll(NULL, 0, 1000);
	}
	STEP(read(v[0], &b, 1));
	STEP(kill(pid, SIGTERM));
	STEP(waitpid(pid, &status, 0));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? OK : WRONG;
}

/* A child that gives up what is left and locks itself in further. */
static int gives_up(void)
{
	int status, fd = -1;
	struct sandbox_level l;
	pid_t pid;

	STEP(pid = fork());
	if (pid == 0) {
		if (setresgid(getgid(), getgid(), getgid()) != 0 ||
		    setresuid(getuid(), getuid(), getuid()) != 0 ||
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
			_exit(1);
		if (sandbox_prepare(SANDBOX_DELIVER, -1, &fd, &l) != 0)
			_exit(2);
		pretend(SYS_openat, EACCES, false);
		_exit(openat(AT_FDCWD, "file", O_RDONLY) < 0 ? 0 : 3);
	}
	STEP(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : WRONG;
}

static int allocates(void)
{
	for (size_t n = 1; n < 4 * 1024 * 1024; n *= 4) {
		char *volatile p = malloc(n);
		char *q;

		if (!p)
			return WRONG;
		q = realloc(p, 2 * n);
		if (q)
			memset(q, 1, 2 * n);
		free(q ? q : p);
		if (!q)
			return WRONG;
	}
	return OK;
}

/* --- what it is not for -------------------------------------------------- */

PROBE(connects_path, dial("lmtp", 4) == OK ? 0 : -1)
#ifndef SYS_socketcall
PROBE(make_inet, socket(AF_INET, SOCK_STREAM, 0))
PROBE(make_inet6, socket(AF_INET6, SOCK_STREAM, 0))
PROBE(make_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
PROBE(make_packet, socket(AF_PACKET, SOCK_RAW, 0))
#endif
PROBE(binds, bind(listener, &(struct sockaddr){ .sa_family = AF_UNIX }, 2))
PROBE(listens, listen(listener, 1))
PROBE(make_fifo, mknodat(AT_FDCWD, "fifo", S_IFIFO | 0600, 0))
PROBE(make_symlink, symlinkat("file", AT_FDCWD, "symlink"))
PROBE(change_owner, fchownat(AT_FDCWD, "file", 0, 0, 0))
PROBE(change_root, chroot("."))
PROBE(change_dir, chdir("/"))
PROBE(touch_path, utimensat(AT_FDCWD, "file", NULL, 0))
PROBE(clone_user, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
PROBE(clone_thread, syscall(SYS_clone, CLONE_VM | SIGCHLD, 0, 0, 0, 0))
PROBE(clone_parent, syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0))
PROBE(clone_3, syscall(435, area, 64))
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
PROBE(made_executable, mprotect(area, 1, PROT_READ | PROT_EXEC))
PROBE(memory_file, syscall(SYS_memfd_create, "x", 0))
PROBE(traces, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
PROBE(attaches, ptrace(PTRACE_ATTACH, bystander, NULL, NULL))
PROBE(kills, kill(bystander, SIGKILL))
PROBE(kills_with_another, kill(bystander, SIGSTOP))
PROBE(kills_group, kill(-getpid(), SIGKILL))
PROBE(signals_thread, syscall(SYS_tgkill, bystander, bystander, SIGKILL))
PROBE(sends_pidfd, syscall(424, 0, SIGKILL, 0, 0))
PROBE(unshares, unshare(CLONE_NEWUSER))
PROBE(enters, setns(0, 0))
PROBE(mounts, syscall(SYS_mount, 0, 0, 0, 0, 0))
PROBE(rings, syscall(425, 8, area))
PROBE(programs_kernel, syscall(SYS_bpf, 0, area, 64))
PROBE(keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
PROBE(reads_memory, syscall(SYS_process_vm_readv, bystander, 0, 0, 0, 0, 0))
PROBE(faults, syscall(SYS_userfaultfd, 0))
PROBE(takes_fd, syscall(438, 0, 0, 0))
PROBE(opens_process, syscall(434, bystander, 0)) /* pidfd_open */
PROBE(opens_handle, syscall(SYS_open_by_handle_at, 0, area, 0))
PROBE(control, ioctl(0, 0x5412, area))
PROBE(groups, syscall(SYS_setgroups, 1, area))
PROBE(changes_uid, syscall(SYS_setuid, 0))
PROBE(dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
PROBE(keeps_caps, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
PROBE(raises_ambient, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0))
PROBE(opens_notifier, syscall(SYS_seccomp, 0, 0, 0))
PROBE(opens_wide, syscall(437, AT_FDCWD, "file", area, 24))

static int executes(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execv("/bin/true", argv));
}

PROBE(executes_fd, syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH))

static int connects_abstract(void)
{
	char name[64];
	int n =
	    snprintf(name, sizeof(name), "_postern-test-%d", (int)getppid());

	name[0] = '\0';
	return dial(name, (size_t)n);
}

/* clang-format off */
static const struct probe probes[] = {
	{ "a Maildir is made, filled and emptied", maildir, OK },
	{ "an mbox is locked and filled", mailbox, OK },
	{ "a directory is read", directory, OK },
	{ "room and owners", room, OK },
	{ "an event loop", loop, OK },
	{ "a connection and its peer's credentials", accepts, OK },
	{ "LMTP on a socket in the file system", connects_path, OK },
	{ "a worker is forked and ended", worker, OK },
	{ "a child gives up the rest", gives_up, OK },
	{ "malloc and realloc of up to 4 MiB", allocates, OK },
#ifndef SYS_socketcall	/* whose arguments no filter sees */
	{ "socket of AF_INET", make_inet, KILLED },
	{ "socket of AF_INET6", make_inet6, KILLED },
	{ "socket of AF_NETLINK", make_netlink, KILLED },
	{ "socket of AF_PACKET", make_packet, KILLED },
#endif
	{ "bind", binds, KILLED },
	{ "listen", listens, KILLED },
	{ "fifo", make_fifo, KILLED },
	{ "symlink", make_symlink, KILLED },
	{ "chown", change_owner, KILLED },
	{ "chroot", change_root, KILLED },
	{ "chdir", change_dir, KILLED },
	{ "utimensat of a path", touch_path, KILLED },
	{ "clone into a namespace", clone_user, KILLED },
	{ "clone with shared memory", clone_thread, KILLED },
	{ "clone for the parent", clone_parent, KILLED },
	{ "clone3", clone_3, ENOSYS },
	{ "execve", executes, KILLED },
	{ "execveat", executes_fd, KILLED },
	{ "mmap PROT_EXEC", executable, KILLED },
	{ "mmap shared", shared, KILLED },
	{ "mmap of a file", file_mapped, KILLED },
	{ "mprotect +X", made_executable, KILLED },
	{ "memfd_create", memory_file, KILLED },
	{ "ptrace(TRACEME)", traces, KILLED },
	{ "ptrace(ATTACH)", attaches, KILLED },
	{ "kill with SIGSTOP", kills_with_another, KILLED },
	{ "kill of a process group", kills_group, KILLED },
	{ "tgkill", signals_thread, KILLED },
	{ "pidfd_send_signal", sends_pidfd, KILLED },
	{ "unshare", unshares, KILLED },
	{ "setns", enters, KILLED },
	{ "mount", mounts, KILLED },
	{ "io_uring_setup", rings, KILLED },
	{ "bpf", programs_kernel, KILLED },
	{ "keyctl", keys, KILLED },
	{ "process_vm_readv", reads_memory, KILLED },
	{ "userfaultfd", faults, KILLED },
	{ "pidfd_getfd", takes_fd, KILLED },
	{ "pidfd_open", opens_process, KILLED },
	{ "open_by_handle_at", opens_handle, KILLED },
	{ "openat2", opens_wide, KILLED },
	{ "ioctl TIOCSTI", control, ENOTTY },
	{ "setgroups of one", groups, KILLED },
	{ "setuid", changes_uid, KILLED },
	{ "prctl(DUMPABLE)", dumpable, KILLED },
	{ "prctl(KEEPCAPS)", keeps_caps, KILLED },
	{ "prctl(CAP_AMBIENT_RAISE)", raises_ambient, KILLED },
	{ "seccomp strict mode", opens_notifier, KILLED },
#ifdef __x86_64__
	{ "int 0x80", old_gate, KILLED },
	{ "x32", x32, KILLED },
#endif
};

static const struct probe scoped[] = {
	{ "kill of a process outside", kills, EPERM },
	{ "connect to an abstract socket outside", connects_abstract, EPERM },
};
/* clang-format on */

/* A file of root's after the worker took a user's identity, and his own. */
static int user_files(void)
{
	int fd;

	setfsgid(20001);
	setfsuid(20001);
	if (setfsuid((uid_t)-1) != 20001 || setfsgid((gid_t)-1) != 20001)
		return WRONG;
	if (open("file", O_RDONLY) >= 0 || errno != EACCES)
		return WRONG;
	STEP(fd = open("home/new", O_WRONLY | O_CREAT | O_EXCL, 0600));
	STEP(rename("home/new", "home/named"));
	return result(unlink("home/named"));
}

static const struct probe privileged[] = {
	{ "a user's identity opens his files and not root's", user_files, OK },
};

static int prepare(void)
{
	return sandbox_prepare(SANDBOX_DELIVER, -1, &ruleset, &level);
}

static int lock_without_landlock(void)
{
	pretend(444, EPERM, false);
	if (prepare() != 0 || ruleset != -1 || level.landlock_abi != 0)
		return -1;
	return lock();
}

/* ABI 1 would forbid every rename from tmp/ to new/. */
static int lock_with_abi(void)
{
	pthread_t thread = pretend_abi(pretended_abi);
	int r = prepare();

	pthread_join(thread, NULL);
	if (r != 0 || (ruleset >= 0) != (pretended_abi > 1) ||
	    level.landlock_abi != (pretended_abi > 1 ? pretended_abi : 0))
		return -1;
	return lock();
}

static const struct probe unlandlocked[] = {
	{ "a Maildir is made, filled and emptied", maildir, OK },
	{ "execve", executes, KILLED },
};

int main(void)
{
	make_work();
	set_up();
	must_be(prepare() == 0, "sandbox_prepare");
	printf("# Landlock ABI %d\n", level.landlock_abi);
	run_probes("deliver", lock, probes, COUNT(probes));
	if (level.landlock_abi >= 6)
		run_probes("deliver", lock, scoped, COUNT(scoped));
	else
		tap(true, "# SKIP Landlock without scopes");
	if (geteuid() == 0 && mkdir("home", 0700) == 0 &&
	    chown("home", 20001, 20001) == 0 && chmod(work, 0711) == 0)
		run_probes("deliver", lock, privileged, COUNT(privileged));
	for (int abi = 1; abi <= level.landlock_abi; abi++) {
		printf("# as if it were ABI %d\n", abi);
		pretended_abi = abi;
		run_probes("deliver with less Landlock", lock_with_abi,
		    unlandlocked, COUNT(unlandlocked));
	}
	run_probes("deliver without Landlock", lock_without_landlock,
	    unlandlocked, COUNT(unlandlocked));
	tap(waitpid(bystander, NULL, WNOHANG) == 0, "the bystander lives");
	kill(bystander, SIGKILL);
	remove_work();
	return tap_done();
}
