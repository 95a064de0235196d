/*
 * Lines of a program that has talked to strangers: read with care, shown as
 * they are, for it has escaped them.
 */
#include "sys/hearsay.h"

bool hearsay_parse(struct str line, struct hearsay *h)
{
	static const struct str words[] = { { "dns", 3 }, { "way", 3 },
		{ "call", 4 }, { "rcpt", 4 }, { "none", 4 } };

	*h = (struct hearsay){ 0 };
	for (size_t i = 0; i < line.n; i++)
		if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] > '~')
			return false;
	/* str_cut knows no empty last field, and none is ever last but user */
	while (h->n < HEARSAY_FIELDS && str_cut(&line, '\t', &h->field[h->n]))
		h->n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(h->field[0], words[i]))
			return true;
	return false;
}

void hearsay_put_host(struct buf *b, const struct hearsay *way)
{
	buf_put(b, way->field[1]);
	if (way->field[2].n > 0) {
		buf_putz(b, way->field[1].n > 0 ? " [" : "[");
		buf_put(b, way->field[2]);
		buf_putz(b, "]:");
		buf_put(b, way->field[3]);
	}
	if (str_eq(way->field[4], STR("lmtp")))
		buf_putz(b, ", LMTP");
}

void hearsay_put_level(struct buf *b, const struct hearsay *way)
{
	static const struct {
		struct str word;
		const char *text;
	} rows[] = {
		{ { "unix", 4 }, "a unix socket, no TLS" },
		{ { "may", 3 }, "TLS when it is offered, whoever answers" },
		{ { "must", 4 },
		    "TLS by STARTTLS or not at all, certificate verified" },
		{ { "at-once", 7 },
		    "TLS from the first octet, certificate verified" },
		{ { "any", 3 },
		    "TLS or not at all, whoever answers (TLSA records that "
		    "cannot be used)" },
		{ { "dane", 4 },
		    "TLS or not at all, certificate verified by DANE" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq(way->field[5], rows[i].word))
			buf_putz(b, rows[i].text);
	if (way->field[7].n > 0) {
		buf_putz(b, ", AUTH as ");
		buf_put(b, way->field[7]);
	}
}
