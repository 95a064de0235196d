/*
 * Queue files: what is read as a head, a recipient or an end is what would be
 * written, octet by octet, with the same sum; with room for the longest there
 * is an answer, never a wish for more; anything else is refused.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/qfile.h"

static size_t head(struct str s, struct qfile_sum *read, unsigned *nrcpt)
{
	static char text[QFILE_HEAD_MAX];
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 };
	struct qfile_head h;
	size_t used;
	int rc = qfile_get_head(s, &h, &used, read);

	HOLDS(rc >= 0 && (rc != QFILE_MORE || s.n < QFILE_HEAD_MAX));
	if (rc != 0)
		return 0;
	qfile_put_head(&sum, &b, &h);
	HOLDS(!b.full && str_eq(buf_str(&b), str_head(s, used)));
	HOLDS(sum.crc == read->crc && sum.octets == read->octets);
	*nrcpt = h.nrcpt;
	return used;
}

static size_t rcpt(struct str s, struct qfile_sum *read)
{
	static char text[QFILE_RCPT_OCTETS];
	struct buf b = BUF(text);
	struct qfile_sum sum = *read;
	struct qfile_rcpt r;
	size_t used;
	int rc = qfile_get_rcpt(s, &r, &used, read);

	HOLDS(rc >= 0 && (rc != QFILE_MORE || s.n < QFILE_RCPT_OCTETS));
	if (rc != 0)
		return 0;
	qfile_put_rcpt(&sum, &b, &r);
	HOLDS(!b.full && str_eq(buf_str(&b), str_head(s, used)));
	HOLDS(sum.crc == read->crc && sum.octets == read->octets);
	return used;
}

static void end(struct str s)
{
	char text[QFILE_END_OCTETS];
	struct buf b = BUF(text);
	struct qfile_sum sum;

	if (qfile_get_end(s, &sum.octets, &sum.crc) != 0)
		return;
	qfile_put_end(&sum, &b);
	HOLDS(!b.full && str_eq(buf_str(&b), s));
}

/* A slot holds whatever it is given, or says that it cannot. */
static void slots(struct str s)
{
	char text[QFILE_TEXT_MAX];
	struct buf b = BUF(text);

	qfile_put_text(&b, s);
	HOLDS(!b.full && b.n == QFILE_TEXT_MAX);
	buf_clear(&b);
	qfile_put_code(&b, s);
	HOLDS(b.full || b.n == QFILE_STATUS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	struct qfile_sum read = { 0 }, none = { 0 };
	unsigned n = 0;
	size_t at = head(s, &read, &n);

	for (size_t used = at; n > 0 && used > 0; n--) {
		used = rcpt(str_skip(s, at), &read);
		at += used;
	}
	HOLDS(read.octets == at);
	end(str_skip(s, size < QFILE_END_OCTETS ? 0 : size - QFILE_END_OCTETS));
	(void)rcpt(s, &none);
	slots(s);
	return 0;
}
