/*
 * Strict UTF-8, RFC 3629 4: no overlong form, no surrogate, nothing above
 * U+10FFFF, nothing cut off.
 */
#include "mail/domain.h"

#include <errno.h>

/* The rows of RFC 3629 4: what the first octet says about the others. */
struct form {
	unsigned char first, last; /* of the lead octet */
	unsigned char low, high;   /* of the second octet */
	unsigned char more;        /* octets after the lead */
};

static const struct form forms[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 0 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
	{ 0xe1, 0xec, 0x80, 0xbf, 2 },
	{ 0xed, 0xed, 0x80, 0x9f, 2 },
	{ 0xee, 0xef, 0x80, 0xbf, 2 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
};

static const struct form *form_of(unsigned char lead)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (lead >= forms[i].first && lead <= forms[i].last)
			return &forms[i];
	return NULL;
}

int utf8_next(struct str *s, uint32_t *code)
{
	const struct form *form;
	uint32_t v;

	if (s->n == 0)
		return -EILSEQ;
	form = form_of((unsigned char)s->p[0]);
	if (form == NULL || s->n <= form->more)
		return -EILSEQ;
	v = (unsigned char)s->p[0];
	if (form->more > 0)
		v &= 0x3fu >> form->more;
	for (size_t i = 1; i <= form->more; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if (c < (i == 1 ? form->low : 0x80) ||
		    c > (i == 1 ? form->high : 0xbf))
			return -EILSEQ;
		v = v << 6 | (c & 0x3f);
	}
	*s = str_skip(*s, (size_t)form->more + 1);
	*code = v;
	return 0;
}

bool utf8_valid(struct str s)
{
	uint32_t code;

	while (s.n > 0)
		if (utf8_next(&s, &code) != 0)
			return false;
	return true;
}
