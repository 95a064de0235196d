/*
 * Errands, which postern-command(8) takes from a program with fewer rights:
 * what is taken has a user, no control character but tabs in any field, and
 * is the same record when it is written again.  The verdict on whatever a
 * program says is one that deliver understands.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/errand.h"

static void fields(const struct errand *e)
{
	const struct str f[] = { e->user, e->command, e->sender, e->recipient };

	HOLDS(e->user.n > 0 && e->user.n <= ERRAND_NAME_MAX);
	HOLDS(e->command.n <= ERRAND_COMMAND_MAX);
	for (unsigned i = 0; i < 4; i++)
		for (size_t k = 0; k < f[i].n; k++)
			HOLDS(((unsigned char)f[i].p[k] >= ' ' ||
				  f[i].p[k] == '\t') &&
			      f[i].p[k] != 0x7f);
}

static void again(struct str record, const struct errand *e)
{
	static char room[3 * ERRAND_FIELDS_MAX];
	struct buf b = BUF(room);
	struct errand f;

	errand_put(&b, e);
	HOLDS(!b.full && b.n + e->content.n <= record.n);
	HOLDS(e->file || str_starts(record, buf_str(&b)));
	if (e->file)
		HOLDS(errand_get(buf_str(&b), &f) == 0 && f.start == e->start &&
		      f.size == e->size);
}

static void ends(struct str said)
{
	char text[REQUEST_TEXT_MAX + 1], record[REQUEST_MAX];
	unsigned status = fuzz_octet(&said);
	struct buf room = BUF(text), b = BUF(record);
	struct verdict v = errand_verdict(status, said, &room), w;
	struct request r;

	request_begin(&b, 'c');
	verdict_put(&b, &v);
	HOLDS(request_answer(buf_str(&b), 'c', 3, &r) == 0);
	HOLDS(verdict_get(&r, &w) == 0 && w.kind == v.kind);
	HOLDS((v.kind == VERDICT_DONE) == (status == 0));
	HOLDS(v.text.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str record = fuzz_str(input, size);
	struct errand e;

	if (errand_get(record, &e) == 0) {
		fields(&e);
		again(record, &e);
	}
	ends(record);
	return 0;
}
