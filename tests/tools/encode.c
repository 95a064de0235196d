/*
 * encode: the message in a file (LF line ends) as it is sent on, on standard
 * output.
 *
 *	encode FILE
 *
 * Exits 1, and prints nothing, when it stays as it is.
 */
#include <stdio.h>

#include "mail/encode.h"

enum { PIECE = 4093 };

static struct encode encode;
static char room[4 * ENCODE_ROOM];

static struct str next(FILE *f)
{
	static char in[PIECE];

	return str_at(in, fread(in, 1, sizeof(in), f));
}

static void flush(struct buf *b)
{
	fwrite(b->p, 1, b->n, stdout);
	buf_clear(b);
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct buf b = BUF(room);
	struct str s;

	if (f == NULL)
		return 2;
	while ((s = next(f)).n > 0)
		encode_look(&encode, s);
	if (!encode_is_needed(&encode))
		return 1;
	rewind(f);
	while ((s = next(f)).n > 0)
		while (s.n > 0) {
			s = str_skip(s, encode_feed(&encode, s, &b));
			flush(&b);
		}
	encode_finish(&encode, &b);
	flush(&b);
	return b.full || fflush(stdout) != 0 ? 3 : 0;
}
