/*
 * Strings of JSON, RFC 8259 7.
 */
#include "mail/json.h"

#include "mail/domain.h"

void json_put(struct buf *b, struct str s)
{
	bool utf8 = utf8_valid(s);

	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, s.p[i]);
		} else if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8)) {
			buf_putz(b, "\\u");
			buf_hex(b, c, 4);
		} else {
			buf_putc(b, s.p[i]);
		}
	}
	buf_putc(b, '"');
}
