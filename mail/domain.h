/*
 * Domain names in mail, RFC 5321 2.3.5 and 4.1.2, with their A-label form
 * (RFC 5890 to 5892, punycode of RFC 3492).  Two domains are the same when
 * their A-labels are.
 */
#ifndef MAIL_DOMAIN_H
#define MAIL_DOMAIN_H

#include "mail/str.h"

enum {
	DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	LABEL_MAX = 63    /* RFC 1035 2.3.4 */
};

enum { DOMAIN_BAD = 1 }; /* not a domain name */

/*
 * Appends the A-label form of `in`, ASCII letters in lower case.  UTF-8 labels
 * (strictly valid, no controls, no upper case beyond ASCII that IDNA refuses)
 * become xn-- labels; U+3002 and its kin are not dots.  Letters, digits,
 * hyphens within a label, single dots; underscores are tolerated; no empty
 * label, no trailing dot; `xn--` labels must decode.  At most DOMAIN_MAX.
 * 0 or DOMAIN_BAD (then *out is as it was).
 */
int domain_ascii(struct str in, struct buf *out);

/*
 * The domain in U-labels for a reader, where every label decodes; otherwise
 * as it stands.  0 or DOMAIN_BAD.
 */
int domain_unicode(struct str in, struct buf *out);

/* Strict UTF-8: no overlong form, surrogate, or code point above U+10FFFF. */
bool utf8_valid(struct str s);

/*
 * Takes one code point off the front of *s.  0 or -EILSEQ (then *s is as it
 * was).
 */
int utf8_next(struct str *s, uint32_t *code);

/* punycode of RFC 3492, one label without its xn--. 0 or DOMAIN_BAD. */
int punycode_encode(struct str utf8, struct buf *out);
int punycode_decode(struct str ascii, struct buf *utf8);

#endif
