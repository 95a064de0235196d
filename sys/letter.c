/*
 * The draft is read again for each pass: to look at the header, to measure
 * what it becomes, and to send it.  Lines that are too long take two more.
 */
#include "sys/letter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mail/domain.h"
#include "mail/intake.h"

enum { BLOCK = 64 * 1024 };

/* --- in ------------------------------------------------------------------ */

static int take(struct letter *l, struct intake *in, struct str s)
{
	static char room[BLOCK + INTAKE_ROOM];
	int rc = 0;

	while (rc == 0 && s.n > 0) {
		struct buf out = BUF(room);

		s = str_skip(s, intake_feed(in, s, &out));
		rc = draft_add(&l->draft, buf_str(&out));
	}
	return rc;
}

int letter_read(struct letter *l, bool keep_dots)
{
	static char block[BLOCK];
	struct intake in = { .keep_dots = keep_dots };
	char text[INTAKE_ROOM];
	struct buf end = BUF(text);
	ssize_t n;
	int rc = 0;

	draft_init(&l->draft);
	while (rc == 0 && in.at != INTAKE_END && !in.nul &&
	       (n = read(0, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rc = take(l, &in, str_at(block, (size_t)n));
	}
	if (rc < 0)
		return rc;
	if (in.nul)
		return LETTER_NUL;
	intake_finish(&in, &end);
	return draft_add(&l->draft, buf_str(&end));
}

/* --- out ----------------------------------------------------------------- */

static int compose(struct letter *l)
{
	struct str piece;
	uint64_t at = 0;
	int rc;

	while ((rc = draft_get(&l->draft, at, &piece)) == 0 && piece.n > 0) {
		at += piece.n;
		compose_feed(&l->compose, piece);
	}
	compose_finish(&l->compose);
	return rc;
}

int letter_look(struct letter *l)
{
	compose_look(&l->compose, &l->set);
	return compose(l);
}

/* Composed, but not encoded. */
static int write_plain(
    struct letter *l, void (*put)(void *arg, struct str s), void *arg)
{
	l->set.put = put;
	l->set.arg = arg;
	compose_put(&l->compose, &l->set);
	return compose(l);
}

/* What write_plain puts, encoded. */
struct coder {
	struct encode *e;
	void (*put)(void *arg, struct str s);
	void *arg;
};

static void encode(void *arg, struct str s)
{
	static char room[2 * ENCODE_ROOM];
	struct coder *c = arg;

	while (s.n > 0) {
		struct buf out = BUF(room);

		s = str_skip(s, encode_feed(c->e, s, &out));
		c->put(c->arg, buf_str(&out));
	}
}

int letter_write(
    struct letter *l, void (*put)(void *arg, struct str s), void *arg)
{
	struct encode e = l->encode;
	struct coder c = { &e, put, arg };
	char room[2 * ENCODE_ROOM];
	struct buf end = BUF(room);
	int rc;

	if (!l->encoded)
		return write_plain(l, put, arg);
	rc = write_plain(l, encode, &c);
	encode_finish(&e, &end);
	put(arg, buf_str(&end));
	return rc;
}

/* --- measures ------------------------------------------------------------ */

struct measure {
	struct wire_sum sum;
	bool within_header, line_is_empty;
	bool high;  /* an octet above ASCII in the header, */
	bool valid; /* which is UTF-8 where it is */
	size_t nline;
	char line[ENCODE_LINE_MAX];
};

static void end_header_line(struct measure *m)
{
	struct str line = str_at(m->line, m->nline);

	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] > 0x7f) {
			m->high = true;
			m->valid = m->valid && utf8_valid(line);
			break;
		}
	m->within_header = line.n > 0;
	m->nline = 0;
}

static void measure(void *arg, struct str s)
{
	struct measure *m = arg;

	wire_add(&m->sum, s);
	for (size_t i = 0; i < s.n && m->within_header; i++) {
		if (s.p[i] == '\n')
			end_header_line(m);
		else if (m->nline < sizeof(m->line))
			m->line[m->nline++] = s.p[i];
	}
}

static void look(void *arg, struct str s)
{
	encode_look(arg, s);
}

static void count(void *arg, struct str s)
{
	wire_add(arg, s);
}

int letter_measure(struct letter *l)
{
	struct measure m = { .within_header = true, .valid = true };
	int rc = write_plain(l, measure, &m);

	l->encoded = false;
	l->sum = m.sum;
	l->utf8 = l->envelope.utf8 || (m.high && m.valid);
	if (rc < 0 || m.sum.longest <= ENCODE_LINE_MAX)
		return rc;
	memset(&l->encode, 0, sizeof(l->encode));
	rc = write_plain(l, look, &l->encode);
	if (rc < 0 || !encode_is_needed(&l->encode))
		return rc;
	l->encoded = true;
	l->sum = (struct wire_sum){ 0 };
	return letter_write(l, count, &l->sum);
}
