/*
 * name:password:uid:gid:comment:home:shell, passwd(5).
 */
#include "sys/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { NAME, PASSWORD, UID, GID, COMMENT, HOME, SHELL, FIELDS };

void caller_put_full(struct buf *b, struct str comment, struct str name)
{
	comment = str_trim(str_head(comment, str_find(comment, ',')));
	for (size_t i = 0; i < comment.n; i++) {
		char c = comment.p[i];

		if (c != '&') {
			if ((unsigned char)c >= ' ' && c != 0x7f)
				buf_putc(b, c);
		} else if (name.n > 0) {
			buf_putc(b, str_isalpha(name.p[0])
					? (char)(name.p[0] & ~0x20)
					: name.p[0]);
			buf_put(b, str_skip(name, 1));
		}
	}
}

static struct str keep(struct caller *c, struct str s)
{
	const char *at = c->text.p + c->text.n;

	buf_put(&c->text, s);
	buf_putc(&c->text, '\0');
	if (c->text.full)
		return STR("");
	return str_at(at, s.n);
}

static void set(
    struct caller *c, struct str name, struct str comment, struct str home)
{
	char room[256];
	struct buf full = BUF(room);

	caller_put_full(&full, comment, name);
	c->text = BUF(c->room);
	c->name = keep(c, str_head(name, LOCAL_MAX));
	c->home = keep(c, home);
	c->full = keep(c, full.full ? STR("") : buf_str(&full));
}

/* True when this line is the user's. */
static bool take_line(struct caller *c, struct str line, uid_t uid)
{
	struct str field[FIELDS];
	uint64_t n;

	for (unsigned i = 0; i < FIELDS; i++)
		if (!str_cut(&line, ':', &field[i]) && i < SHELL)
			return false;
	if (str_u64(field[UID], &n) != 0 || n != uid || field[NAME].n == 0)
		return false;
	set(c, field[NAME], field[COMMENT], field[HOME]);
	return true;
}

/* The lines of a file, in pieces; a line longer than a piece is passed over. */
static bool look_up(struct caller *c, int fd, uid_t uid)
{
	char block[8192];
	size_t held = 0;
	ssize_t n;

	while ((n = read(fd, block + held, sizeof(block) - held)) > 0) {
		struct str rest = str_at(block, held + (size_t)n), line;

		while (str_find(rest, '\n') < rest.n) {
			(void)str_cut(&rest, '\n', &line);
			if (take_line(c, line, uid))
				return true;
		}
		held = rest.n < sizeof(block) ? rest.n : 0;
		memmove(block, rest.p, held);
	}
	return held > 0 && take_line(c, str_at(block, held), uid);
}

static void set_nobody(struct caller *c, uid_t uid)
{
	char text[32];
	struct buf b = BUF(text);

	buf_putz(&b, "uid");
	buf_u64(&b, uid);
	set(c, buf_str(&b), STR(""), STR(""));
}

void caller_find(struct caller *c, uid_t uid)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	bool found = fd >= 0 && look_up(c, fd, uid);
	const struct passwd *pw;

	if (fd >= 0)
		close(fd);
	if (found)
		return;
	pw = getpwuid(uid);
	if (pw)
		set(c, str_of(pw->pw_name), str_of(pw->pw_gecos),
		    str_of(pw->pw_dir));
	else
		set_nobody(c, uid);
}
