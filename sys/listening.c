/*
 * /proc/net/unix, tcp and tcp6.
 */
#include "sys/listening.h"

#include <stdio.h>
#include <string.h>

#include "mail/str.h"

enum { LINE_OCTETS = 512, TCP_LISTEN = 0x0a, ACCEPTS = 0x10000 };

static bool is_hex(struct str s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.n && i < 16; i++) {
		char c = str_lower(s.p[i]);

		if (!str_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		*v = *v << 4 |
		     (unsigned)(str_isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return s.n > 0;
}

static bool any_line(const char *file,
    bool (*is_it)(struct str line, const void *of), const void *of)
{
	FILE *f = fopen(file, "re");
	char line[LINE_OCTETS];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		struct str s = str_of(line);

		if (s.n > 0 && s.p[s.n - 1] == '\n')
			s.n--;
		found = is_it(s, of);
	}
	if (f)
		(void)fclose(f);
	return found;
}

/* Num RefCount Protocol Flags Type St Inode Path */
static bool is_unix(struct str line, const void *of)
{
	const char *path = of;
	struct str rest = line, word[7];
	uint64_t flags;

	for (unsigned i = 0; i < 7; i++)
		if (!str_word(&rest, &word[i]))
			return false;
	return is_hex(word[3], &flags) && (flags & ACCEPTS) != 0 &&
	       str_eq(str_trim(rest), str_of(path));
}

/* sl local_address rem_address st ... */
static bool is_tcp(struct str line, const void *of)
{
	const unsigned *port = of;
	struct str word[4];
	uint64_t at, state;
	size_t colon;

	for (unsigned i = 0; i < 4; i++)
		if (!str_word(&line, &word[i]))
			return false;
	colon = str_find(word[1], ':');
	return is_hex(str_skip(word[1], colon + 1), &at) && at == *port &&
	       is_hex(word[3], &state) && state == TCP_LISTEN;
}

bool listening_unix(const char *path)
{
	return any_line("/proc/net/unix", is_unix, path);
}

bool listening_tcp(unsigned port)
{
	return any_line("/proc/net/tcp", is_tcp, &port) ||
	       any_line("/proc/net/tcp6", is_tcp, &port);
}
