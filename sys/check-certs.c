/*
 * The certificates, which tls is asked about: it alone links what knows them.
 */
#include "sys/check-part.h"

#include "sys/asking.h"
#include "sys/beside.h"

enum { LOOK_S = 60 };

struct heard {
	const struct site *site;
	unsigned lines;
};

/* A grade of sys/tls-look.h, and what it means on this machine. */
static enum finding grade_of(const struct site *s, struct str word)
{
	if (str_eq(word, STR("ok")))
		return FINDING_OK;
	if (str_eq(word, STR("fault")))
		return FINDING_FAULT;
	/* a smtpd of root's starts a tls that reads keys as root */
	if (str_eq(word, STR("closed")))
		return s->systemd ? FINDING_FAULT : FINDING_WARNING;
	if (str_eq(word, STR("unseen")))
		return s->private ? FINDING_FAULT : FINDING_WARNING;
	return FINDING_WARNING;
}

static void hear(void *arg, struct str line)
{
	char text[PART_PATH_MAX];
	struct buf where = BUF(text);
	struct heard *h = arg;
	struct str first, grade, path;

	if (!str_cut(&line, '\t', &first) ||
	    !str_eq(first, STR("certificate")) ||
	    !str_cut(&line, '\t', &grade) || !str_cut(&line, '\t', &path))
		return;
	h->lines++;
	buf_put(&where, path);
	buf_putc(&where, '\0');
	finding(grade_of(h->site, grade), where.full ? NULL : text, "%.*s%s",
	    (int)line.n, line.p,
	    str_eq(grade, STR("unseen")) && !h->site->private
		? ": ask again as root"
		: "");
}

void check_certificates(const struct site *s)
{
	char path[PART_PATH_MAX];
	const char *argv[ASKING_ARGS] = { path };
	struct buf program = BUF(path);
	struct heard h = { .site = s };
	unsigned n = 1;
	int rc;

	if (!conf_offers_tls(s->conf))
		return;
	if (beside_find("tls", &program) < 0) {
		finding(FINDING_FAULT, "tls",
		    "the program is not where it should be");
		return;
	}
	if (s->check->conf_path) {
		argv[n++] = "-C";
		argv[n++] = s->check->conf_path;
	}
	argv[n++] = "-t";
	rc = asking_run(path, argv, LOOK_S, hear, &h);
	if (h.lines == 0)
		finding(FINDING_FAULT, path, "-t has failed (%d)", rc);
}
