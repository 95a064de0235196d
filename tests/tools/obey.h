/*
 * Obeying whoever has said the word.  He is answered with the address of the
 * room, and from then on his octets are orders: eight numbers of eight octets
 * each, as this machine has them.
 *
 *	C number arg*6		a system call; answered by its result or -errno
 *	I number arg*6		... through the gate of i386, where there is one
 *	W offset n		n octets follow, into the room
 *	R offset n		answered by n octets of the room
 *
 * Included once by each program that is to be conquered.
 */
#ifndef TESTS_TOOLS_OBEY_H
#define TESTS_TOOLS_OBEY_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROOM = 256 * 1024, ARGS = 7 };

struct order {
	uint64_t letter;
	uint64_t arg[ARGS];
};

static int obeyed; /* the connection */
static char room[ROOM];

/* The connection does not block. */
static void wait_for(short events)
{
	struct pollfd p = { .fd = obeyed, .events = events };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static void take(void *to, size_t n)
{
	char *at = to;

	while (n > 0) {
		ssize_t got = read(obeyed, at, n);

		if (got < 0 && errno == EAGAIN) {
			wait_for(POLLIN);
			continue;
		}
		if (got <= 0)
			_exit(0);
		at += got;
		n -= (size_t)got;
	}
}

static void give(const void *from, size_t n)
{
	const char *at = from;

	while (n > 0) {
		ssize_t put = write(obeyed, at, n);

		if (put < 0 && errno == EAGAIN) {
			wait_for(POLLOUT);
			continue;
		}
		if (put <= 0)
			_exit(0);
		at += put;
		n -= (size_t)put;
	}
}

static int64_t call(const uint64_t a[ARGS])
{
	long r = syscall((long)a[0], (long)a[1], (long)a[2], (long)a[3],
	    (long)a[4], (long)a[5], (long)a[6]);

	return r < 0 ? -errno : r;
}

static int64_t old_gate(const uint64_t a[ARGS])
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
#else
	(void)a;
	return -ENOSYS;
#endif
}

static void carry_out(const struct order *o)
{
	uint64_t at = o->arg[0], n = o->arg[1];
	int64_t r;

	switch (o->letter) {
	case 'C':
	case 'I':
		r = o->letter == 'C' ? call(o->arg) : old_gate(o->arg);
		give(&r, sizeof(r));
		break;
	case 'W':
	case 'R':
		if (at > ROOM || n > ROOM - at)
			_exit(1);
		if (o->letter == 'W')
			take(room + at, n);
		else
			give(room + at, n);
		break;
	default:
		_exit(1);
	}
}

/* Never comes back. */
_Noreturn static void obey(int fd)
{
	uint64_t address = (uintptr_t)room;
	struct order o;

	obeyed = fd;
	give(&address, sizeof(address));
	for (;;) {
		take(&o, sizeof(o));
		carry_out(&o);
	}
}

#endif
