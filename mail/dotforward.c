/*
 * Targets of a .forward file, and its paths.  A path is compared as it is
 * written, without a look at the file system: ".." is never followed.
 */
#include "mail/dotforward.h"

static bool has(struct str s, char c)
{
	return str_find(s, c) < s.n;
}

int dotforward_next(struct str *text, char *room, struct alias_target *t)
{
	int rc = alias_target_next(text, room, t);

	if (rc != 0 || (t->kind != ALIAS_USER && t->kind != ALIAS_ADDRESS))
		return rc;
	if (str_starts(t->text, STR("~/")) || str_starts(t->text, STR("./")) ||
	    (t->kind == ALIAS_USER && has(t->text, '/')))
		t->kind = ALIAS_FILE;
	/* Somebody else's home is nobody's business here. */
	return t->kind == ALIAS_FILE && t->text.p[0] == '~' &&
		       !str_starts(t->text, STR("~/"))
		   ? ALIAS_BAD
		   : 0;
}

/* The part of an absolute path that is below the home. */
static bool below(struct str home, struct str *path)
{
	while (home.n > 1 && home.p[home.n - 1] == '/')
		home.n--;
	if (!str_starts(*path, home) || path->n == home.n)
		return false;
	*path = str_skip(*path, home.n);
	return home.n == 1 || path->p[0] == '/';
}

int dotforward_path(struct str home, struct str path, struct buf *out,
    enum dotforward_kind *kind)
{
	struct str part;
	unsigned n = 0;

	*kind = path.n > 0 && path.p[path.n - 1] == '/' ? DOTFORWARD_MAILDIR
							: DOTFORWARD_MBOX;
	if (home.n == 0 || home.p[0] != '/')
		return ALIAS_BAD;
	if (str_starts(path, STR("~/")))
		path = str_skip(path, 2);
	else if (path.n > 0 && path.p[0] == '/' && !below(home, &path))
		return ALIAS_BAD;
	while (home.n > 0 && home.p[home.n - 1] == '/')
		home.n--;
	buf_put(out, home);
	while (str_cut(&path, '/', &part)) {
		if (str_eq(part, STR("..")))
			return ALIAS_BAD;
		if (part.n == 0 || str_eq(part, STR(".")))
			continue;
		buf_putc(out, '/');
		buf_put(out, part);
		n++;
	}
	return n == 0 || out->full ? ALIAS_BAD : 0;
}
