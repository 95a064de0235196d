/*
 * A disk that remembers what was done to it and when: power cuts of every
 * kind can be made up afterwards (tests/lib/power.py).
 *
 *	logdisk DIRECTORY IMAGE LOG
 *
 * mounts itself on DIRECTORY and serves two files there.  `disk` has the
 * content of IMAGE and becomes a loop device; `mark` takes what the test
 * wants to find again.  Each write of either and each fsync of `disk` is
 * appended to LOG as a struct record and its data, in the order in which they
 * were answered.  One thread serves all, so that order is exact: a write is
 * logged before the file system above hears that it is done, and a mark after
 * everything that was done before it.
 *
 * A loop device over it has a write cache: what the block layer calls a flush
 * arrives as FUSE_FSYNC, and a write with FUA as a write and such a flush.
 * FUSE_FLUSH is only what close(2) sends and promises nothing.
 *
 * It speaks the kernel's own protocol (linux/fuse.h): for two files that is
 * hardly more than the callbacks of libfuse would be, and neither a library
 * nor its threads and caches stand between the kernel's order and the log's.
 *
 * It ends when it is unmounted, or with its parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mail/str.h"
#include "sys/io.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum {
	DATA_MAX = 1024 * 1024, /* of one read or write */
	REQUEST_MAX = DATA_MAX + sizeof(struct fuse_in_header) +
		      sizeof(struct fuse_write_in),
	FOREVER_S = 1000000, /* nothing but the kernel changes anything */
	DISK = 2,            /* inodes; the directory is FUSE_ROOT_ID */
	MARK = 3
};

struct record {
	uint64_t offset;
	uint32_t size; /* of the data behind it */
	char kind[4];  /* "W" write, "F" flush, "M" mark */
};

static struct {
	int fuse, image, log;
	uint64_t size;
	const struct fuse_in_header *in;
	const char *arg; /* behind the header */
} d;

/* Read and written by one request at a time; aligned for the headers. */
static union {
	struct fuse_in_header head;
	char octets[REQUEST_MAX];
} request;
static char data[DATA_MAX];

/* Half a log would be no proof of anything. */
_Noreturn static void die(const char *what)
{
	fprintf(stderr, "logdisk: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void answer(int rc, const void *out, size_t size)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + (rc < 0 ? 0 : size)),
		.error = rc,
		.unique = d.in->unique,
	};
	struct iovec v[2] = { { &head, sizeof(head) } };

	if (rc == 0 && size > 0) {
		/* writev only reads it */
		memcpy(&v[1].iov_base, &out, sizeof(out));
		v[1].iov_len = size;
	}
	/* ENOENT: whoever asked was killed meanwhile. */
	if (writev(d.fuse, v, v[1].iov_len > 0 ? 2 : 1) < 0 &&
	    errno != ENOENT && errno != ENODEV)
		die("answer");
}

static void append(char kind, uint64_t offset, struct str octets)
{
	struct record r = { offset, (uint32_t)octets.n, { kind } };

	if (io_write_file(d.log, str_at((const char *)&r, sizeof(r))) < 0 ||
	    io_write_file(d.log, octets) < 0)
		die("log");
}

static struct fuse_attr attr_of(uint64_t inode)
{
	bool is_dir = inode == FUSE_ROOT_ID;
	struct fuse_attr a = {
		.ino = inode,
		.mode = is_dir ? S_IFDIR | 0700u : S_IFREG | 0600u,
		.nlink = is_dir ? 2 : 1,
		.blksize = 4096,
	};

	if (inode == DISK) {
		a.size = d.size;
		a.blocks = d.size / 512;
	}
	return a;
}

static void serve_init(void)
{
	const struct fuse_init_in *in = (const void *)d.arg;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = DATA_MAX,
		.max_pages = DATA_MAX / 4096,
		.time_gran = 1,
	};

	if (in->major != FUSE_KERNEL_VERSION) {
		errno = EPROTO;
		die("version of the kernel's protocol");
	}
	answer(0, &out, sizeof(out));
}

static void serve_lookup(void)
{
	uint64_t inode = strcmp(d.arg, "disk") == 0   ? DISK
			 : strcmp(d.arg, "mark") == 0 ? MARK
						      : 0;
	struct fuse_entry_out out = {
		.nodeid = inode,
		.entry_valid = FOREVER_S,
		.attr_valid = FOREVER_S,
		.attr = attr_of(inode),
	};

	answer(inode == 0 ? -ENOENT : 0, &out, sizeof(out));
}

/* Also after setattr, which changes nothing. */
static void serve_attr(void)
{
	struct fuse_attr_out out = {
		.attr_valid = FOREVER_S,
		.attr = attr_of(d.in->nodeid),
	};

	answer(0, &out, sizeof(out));
}

/* Without a cache: each write reaches us as one, and at once. */
static void serve_open(void)
{
	struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

	answer(0, &out, sizeof(out));
}

static void serve_read(void)
{
	const struct fuse_read_in *in = (const void *)d.arg;
	ssize_t n = 0;

	if (in->size > sizeof(data)) {
		answer(-EINVAL, NULL, 0);
		return;
	}
	if (d.in->nodeid == DISK)
		n = pread(d.image, data, in->size, (off_t)in->offset);
	answer(n < 0 ? -errno : 0, data, n < 0 ? 0 : (size_t)n);
}

static void serve_write(void)
{
	const struct fuse_write_in *in = (const void *)d.arg;
	struct fuse_write_out out = { .size = in->size };
	struct str octets = str_at(d.arg + sizeof(*in), in->size);

	if (d.in->len - sizeof(*d.in) - sizeof(*in) != in->size ||
	    (d.in->nodeid == DISK &&
		(in->offset > d.size || in->size > d.size - in->offset))) {
		answer(-EINVAL, NULL, 0);
		return;
	}
	if (d.in->nodeid == DISK) {
		if (lseek(d.image, (off_t)in->offset, SEEK_SET) < 0 ||
		    io_write_file(d.image, octets) < 0)
			die("image");
		append('W', in->offset, octets);
	} else {
		append('M', 0, octets);
	}
	answer(0, &out, sizeof(out));
}

static void serve_fsync(void)
{
	if (d.in->nodeid == DISK)
		append('F', 0, STR(""));
	answer(0, NULL, 0);
}

static void serve_statfs(void)
{
	struct fuse_statfs_out out = { .st = { .bsize = 4096, .namelen = 16 } };

	answer(0, &out, sizeof(out));
}

static void serve_well(void)
{
	answer(0, NULL, 0);
}

static void serve_silently(void)
{
}

static const struct op {
	uint32_t code;
	size_t least; /* octets behind the header */
	void (*serve)(void);
} ops[] = {
	{ FUSE_INIT, 16, serve_init },
	{ FUSE_LOOKUP, 1, serve_lookup },
	{ FUSE_GETATTR, 0, serve_attr },
	{ FUSE_SETATTR, 0, serve_attr },
	{ FUSE_OPEN, 0, serve_open },
	{ FUSE_OPENDIR, 0, serve_open },
	{ FUSE_READ, sizeof(struct fuse_read_in), serve_read },
	{ FUSE_READDIR, 0, serve_well },
	{ FUSE_WRITE, sizeof(struct fuse_write_in), serve_write },
	{ FUSE_FSYNC, 0, serve_fsync },
	{ FUSE_STATFS, 0, serve_statfs },
	{ FUSE_RELEASE, 0, serve_well },
	{ FUSE_RELEASEDIR, 0, serve_well },
	{ FUSE_DESTROY, 0, serve_well },
	{ FUSE_FORGET, 0, serve_silently },
	{ FUSE_BATCH_FORGET, 0, serve_silently },
	{ FUSE_INTERRUPT, 0, serve_silently },
};

static void serve(size_t n)
{
	d.in = &request.head;
	d.arg = request.octets + sizeof(*d.in);
	if (n < sizeof(*d.in) || d.in->len != n) {
		errno = EPROTO;
		die("request");
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (ops[i].code == d.in->opcode &&
		    n - sizeof(*d.in) >= ops[i].least) {
			ops[i].serve();
			return;
		}
	answer(-ENOSYS, NULL, 0); /* flush, fallocate, xattr, ... */
}

static void start(const char *dir, const char *image, const char *log)
{
	char text[64];
	struct buf options = BUF(text);
	struct stat st;

	d.image = open(image, O_RDWR | O_CLOEXEC);
	if (d.image < 0 || fstat(d.image, &st) != 0)
		die(image);
	d.size = (uint64_t)st.st_size;
	d.log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (d.log < 0)
		die(log);
	d.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (d.fuse < 0)
		die("/dev/fuse");
	buf_putz(&options, "rootmode=40700,user_id=0,group_id=0,fd=");
	buf_u64(&options, (uint64_t)d.fuse);
	buf_putc(&options, '\0');
	if (mount("logdisk", dir, "fuse", MS_NOSUID | MS_NODEV, text) != 0)
		die(dir);
}

/*
 * Into a mount namespace of its own, with nothing in it: the last process of
 * a namespace unmounts what is left in it while it ends, and if that were this
 * one it would wait for its own answers.
 */
static void leave(void)
{
	if (chdir("/") != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    umount2("/", MNT_DETACH) != 0)
		die("a namespace of its own");
}

/* Says "ready" when the mount is there; whoever uses it may have to wait. */
int main(int argc, char **argv)
{
	ssize_t n;

	if (argc != 4) {
		fputs("usage: logdisk DIRECTORY IMAGE LOG\n", stderr);
		return 64;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		die("prctl");
	/* Its own memory must not wait for the disk that it is. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	start(argv[1], argv[2], argv[3]);
	leave();
	if (puts("ready") < 0 || fflush(stdout) != 0)
		die("ready");
	for (;;) {
		n = read(d.fuse, request.octets, sizeof(request.octets));
		if (n >= 0)
			serve((size_t)n);
		else if (errno == ENODEV)
			return 0; /* unmounted */
		else if (errno != EINTR && errno != ENOENT)
			die("/dev/fuse");
	}
}
