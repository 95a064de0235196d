/*
 * Bytes with a length: slices that look, buffers that collect.
 *
 * A slice (struct str) owns nothing and may hold any octet, NUL included.  A
 * buffer (struct buf) writes into an array that its user owns; what does not
 * fit is dropped whole and sets the sticky `full`, looked at once at the end.
 */
#ifndef MAIL_STR_H
#define MAIL_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* A slice of a NUL-terminated string; NULL gives the empty slice. */
struct str str_of(const char *z);

/* The n octets at p. */
struct str str_at(const char *p, size_t n);

/* Octets equal. */
bool str_eq(struct str a, struct str b);

/* Equal when ASCII letters are folded; other octets compare as they are. */
bool str_eqcase(struct str a, struct str b);

/* `s` begins with `head`, as str_eq and str_eqcase compare. */
bool str_starts(struct str s, struct str head);
bool str_startscase(struct str s, struct str head);

/* Index of the first octet `c`, or s.n when there is none. */
size_t str_find(struct str s, char c);

/* What follows the first n octets (all of it gone when n > s.n). */
struct str str_skip(struct str s, size_t n);

/* The first n octets at most. */
struct str str_head(struct str s, size_t n);

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);

/*
 * Takes the text before the next `sep` off the front of *s into *head; the
 * separator is dropped.  False, and *head empty, when *s was empty.
 */
bool str_cut(struct str *s, char sep, struct str *head);

/* Takes the next word (run of octets other than space and tab) off *s. */
bool str_word(struct str *s, struct str *word);

/*
 * Decimal digits only, the whole slice.  0, -EINVAL (not a number) or -ERANGE
 * (does not fit); *out is set only on 0.
 */
int str_u64(struct str s, uint64_t *out);

/* ASCII, whatever the locale. */
char str_lower(char c);
bool str_isdigit(char c);
bool str_isalpha(char c);

struct buf {
	char *p;
	size_t n, cap;
	bool full;
};

/* An empty buffer over an array (not over a pointer). */
#define BUF(array) ((struct buf){ (array), 0, sizeof(array), false })

void buf_put(struct buf *b, struct str s);
void buf_putc(struct buf *b, char c);
void buf_putz(struct buf *b, const char *z);
void buf_u64(struct buf *b, uint64_t v);
/* At least `width` digits, zero-filled. */
void buf_u64w(struct buf *b, uint64_t v, unsigned width);
void buf_hex(struct buf *b, uint64_t v, unsigned digits);
void buf_lower(struct buf *b, struct str s);

/*
 * For logs and replies: printable ASCII as it is, `"` and `\` and every other
 * octet as \xHH; never more than `max` octets of output, "..." at a cut.
 */
void buf_escape(struct buf *b, struct str s, size_t max);

/* What was collected; lives until the buffer is next written. */
struct str buf_str(const struct buf *b);
void buf_clear(struct buf *b);

#endif
