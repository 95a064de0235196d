/*
 * forward(5): every text is read to its end, and no path in it leads out of
 * the home: what it means begins with the home, has no "..", no empty part
 * and no slash at its end, and as a target again it means the same.
 *
 * Input: a line with the home, then the file.
 */
#include "tests/fuzz/fuzz.h"

#include <limits.h>

#include "mail/dotforward.h"

static void is_below(struct str home, struct str path)
{
	struct str part;

	while (home.n > 0 && home.p[home.n - 1] == '/')
		home.n--;
	HOLDS(str_starts(path, home) && path.n > home.n + 1);
	HOLDS(path.p[home.n] == '/' && path.p[path.n - 1] != '/');
	path = str_skip(path, home.n + 1);
	while (str_cut(&path, '/', &part))
		HOLDS(part.n > 0 && !str_eq(part, STR(".")) &&
		      !str_eq(part, STR("..")));
}

static void again(struct str home, struct str path, enum dotforward_kind kind)
{
	char first[PATH_MAX], second[PATH_MAX];
	struct buf a = BUF(first), b = BUF(second);
	enum dotforward_kind other;

	buf_put(&a, path);
	if (kind == DOTFORWARD_MAILDIR)
		buf_putc(&a, '/');
	/* A home with empty parts or dots of its own is not written so. */
	HOLDS(!a.full);
	HOLDS(dotforward_path(home, buf_str(&a), &b, &other) == 0);
	HOLDS(other == kind && str_eq(buf_str(&b), path));
}

static void file(struct str home, struct str path)
{
	char text[PATH_MAX];
	struct buf b = BUF(text);
	enum dotforward_kind kind;

	if (dotforward_path(home, path, &b, &kind) != 0)
		return;
	is_below(home, buf_str(&b));
	again(home, buf_str(&b), kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	char *room = memset(fuzz_room(ALIAS_TARGET_MAX), 0, ALIAS_TARGET_MAX);
	struct str s = fuzz_str(input, size), home;
	struct alias_target t;
	int rc;

	str_cut(&s, '\n', &home);
	for (;;) {
		size_t before = s.n;

		rc = dotforward_next(&s, room, &t);
		if (rc == ALIAS_END)
			break;
		HOLDS(s.n < before);
		if (rc != 0)
			continue;
		HOLDS(t.text.n > 0 && t.text.n <= ALIAS_TARGET_MAX);
		HOLDS(t.kind == ALIAS_FILE || t.kind == ALIAS_ADDRESS ||
		      t.kind == ALIAS_COMMAND || t.kind == ALIAS_INCLUDE ||
		      str_find(t.text, '/') == t.text.n ||
		      t.kind == ALIAS_FINAL);
		if (t.kind == ALIAS_FILE)
			file(str_head(home, 256), t.text);
	}
	HOLDS(s.n == 0);
	free(room);
	return 0;
}
