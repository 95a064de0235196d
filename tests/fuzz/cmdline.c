/*
 * Command lines of sendmail, arguments separated by NUL: what is accepted has
 * only values that may stand in a header or a command, the recipients are the
 * last arguments, and none of them was taken for an option's value.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/cmdline.h"

enum { ARGS_MAX = 64, INPUT_MAX = 4096 };

static bool is_line(struct str s)
{
	return str_find(s, '\n') == s.n && str_find(s, '\r') == s.n;
}

static bool is_within(struct str s, const char *p, size_t n)
{
	return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	size_t n = size < INPUT_MAX ? size : INPUT_MAX;
	char *room = fuzz_room(n + 1);
	const char *argv[ARGS_MAX + 1] = { NULL };
	const char *why = NULL;
	struct str option = STR("");
	struct cmdline c;
	int argc = 0, rc;

	memcpy(room, input, n);
	room[n] = '\0';
	for (size_t at = 0; at < n && argc < ARGS_MAX;
	     at += strlen(room + at) + 1)
		argv[argc++] = room + at;
	rc = cmdline_parse(&c, argc, argv, &why, &option);
	HOLDS(rc == 0 || rc == CMDLINE_BAD);
	HOLDS((rc == 0) == (why == NULL));
	if (rc != 0) {
		HOLDS(is_within(option, room, n) && option.n > 1);
		HOLDS(option.p[0] == '-');
		free(room);
		return 0;
	}
	HOLDS(c.first <= argc && (c.first >= 1 || argc == 0));
	HOLDS(is_line(c.sender) && is_line(c.name) && is_line(c.envid));
	HOLDS(is_within(c.sender, room, n) && is_within(c.name, room, n));
	HOLDS(c.envid.n <= CMDLINE_ENVID_MAX);
	HOLDS((c.notify & NOTIFY_NEVER) == 0 || c.notify == NOTIFY_NEVER);
	/* Only behind "--" can the first recipient look like an option. */
	if (c.first < argc && argv[c.first][0] == '-' && argv[c.first][1])
		HOLDS(strcmp(argv[c.first - 1], "--") == 0);
	free(room);
	return 0;
}
