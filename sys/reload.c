/*
 * Two configurations: the one in force, and room to read the next into.
 */
#include "sys/reload.h"

#include "sys/log.h"

enum { WHY_MAX = 512 };

bool reload_check(struct reload *r)
{
	struct conf *next = r->now == &r->slot[0] ? &r->slot[1] : &r->slot[0];
	char text[WHY_MAX];
	struct buf why = BUF(text);
	struct text_mark mark;
	struct log l;

	text_mark(&mark, conf_path(r->path));
	if (r->tried && text_mark_eq(&mark, &r->mark))
		return false;
	r->tried = true;
	r->mark = mark;
	if (conf_read(next, r->path, &why) == 0) {
		r->now = next;
		return true;
	}
	log_begin(&l, LOGL_ERR, "configuration");
	log_str(&l, "error", buf_str(&why));
	log_str(&l, "kept", r->now ? STR("the one before") : STR("none"));
	log_end(&l);
	return false;
}
