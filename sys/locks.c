/*
 * /proc/locks, one line a lock:
 *
 *	1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
 *
 * On btrfs and others with devices of their own making, stat(2) tells of
 * another device than this; there the inode has to do.
 */
#include "sys/locks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mail/str.h"

enum { LOCKS_MAX = 8192, LINE = 256 };

struct lock {
	uint64_t inode;
	unsigned major, minor;
};

static struct lock lock[LOCKS_MAX];
static size_t nlocks;

static bool take_hex(struct str *s, unsigned *n)
{
	struct str word;

	if (!str_cut(s, ':', &word) || word.n == 0 || word.n > 8)
		return false;
	*n = 0;
	for (size_t i = 0; i < word.n; i++) {
		char c = str_lower(word.p[i]);

		if (!str_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		*n = *n << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static bool parse(struct str line, struct lock *l)
{
	struct str word;

	if (!str_word(&line, &word) || !str_word(&line, &word) ||
	    !str_eq(word, STR("FLOCK")))
		return false;
	for (int i = 0; i < 4; i++)
		if (!str_word(&line, &word))
			return false;
	return take_hex(&word, &l->major) && take_hex(&word, &l->minor) &&
	       str_u64(word, &l->inode) == 0;
}

static int compare(const void *a, const void *b)
{
	const struct lock *l = a, *m = b;

	return (l->inode > m->inode) - (l->inode < m->inode);
}

void locks_read(void)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[LINE];

	nlocks = 0;
	while (f && nlocks < LOCKS_MAX && fgets(line, sizeof(line), f))
		nlocks += parse(str_of(line), &lock[nlocks]);
	if (f)
		fclose(f);
	qsort(lock, nlocks, sizeof(lock[0]), compare);
}

bool locks_has(int fd)
{
	struct stat st;
	const struct lock *l;
	struct lock key = { 0 };

	if (nlocks == 0 || fstat(fd, &st) != 0)
		return false;
	key.inode = st.st_ino;
	l = bsearch(&key, lock, nlocks, sizeof(lock[0]), compare);
	if (l == NULL)
		return false;
	while (l > lock && l[-1].inode == key.inode)
		l--;
	for (; l < lock + nlocks && l->inode == key.inode; l++)
		if (l->major == 0 || major(st.st_dev) == 0 ||
		    (l->major == major(st.st_dev) &&
			l->minor == minor(st.st_dev)))
			return true;
	return false;
}
