/*
 * A command line: what is split has no empty first word, each word ends in
 * NUL and holds none, and the words, each in quotes, are the same words
 * again.  Octet by octet in quotes nothing is ever refused.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/argv.h"

static void quote(struct buf *b, struct str word)
{
	buf_putc(b, '\'');
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] == '\'')
			buf_putz(b, "'\\''");
		else
			buf_putc(b, word.p[i]);
	buf_putz(b, "' ");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct argv w, again;
	static char room[8 * ARGV_TEXT_MAX];
	struct buf b = BUF(room);
	int rc = argv_split(&w, fuzz_str(input, size));

	HOLDS(rc >= 0 && rc <= ARGV_CONTROL && w.n <= ARGV_MAX);
	for (unsigned i = 0; i < w.n; i++) {
		HOLDS(w.v[i].p >= w.text &&
		      w.v[i].p + w.v[i].n < w.text + sizeof(w.text));
		HOLDS(w.v[i].p[w.v[i].n] == '\0');
		HOLDS(str_find(w.v[i], '\0') == w.v[i].n);
		quote(&b, w.v[i]);
	}
	HOLDS(!b.full);
	if (rc != 0)
		return 0;
	HOLDS(w.n > 0 && w.v[0].n > 0);
	HOLDS(argv_split(&again, buf_str(&b)) == 0 && again.n == w.n);
	for (unsigned i = 0; i < w.n; i++)
		HOLDS(str_eq(w.v[i], again.v[i]));
	return 0;
}
