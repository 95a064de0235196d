/*
 * The octets of a message on their way in: RFC 5321 4.5.2 (DATA) and RFC 3030
 * (BDAT).  CR LF becomes LF, dots are unstuffed, and CR LF . CR LF is the only
 * end there is.  What is not allowed is noted, never repaired, and the
 * message is read to its real end so that what follows is never taken for
 * commands.
 */
#ifndef MAIL_DATA_H
#define MAIL_DATA_H

#include "mail/str.h"

enum data_defect { DATA_BARE_CR = 1, DATA_BARE_LF = 2, DATA_NUL = 4 };

enum data_flags {
	/*
	 * A bare LF ends a line of content and a bare CR is kept as it is;
	 * neither is noted, and neither is ever part of the end.
	 */
	DATA_NORMALIZE = 1
};

enum data_at {
	DATA_LINE,   /* at the start of a line */
	DATA_LFLINE, /* at the start of a line that a bare LF began */
	DATA_TEXT,   /* within a line */
	DATA_DOT,    /* a dot first in a line that CR LF began */
	DATA_LFDOT,  /* a dot first in a line that a bare LF began */
	DATA_DOTCR,  /* ... and CR */
	DATA_CR,     /* CR within a line, not put out yet */
	DATA_END     /* CR LF . CR LF was seen */
};

struct data {
	enum data_at at;
	unsigned flags;
	unsigned defects; /* enum data_defect, or-ed */
};

void data_init(struct data *d, unsigned flags);

/*
 * DATA: takes octets from `in` until the end, until `in` is used up, or until
 * *out has fewer than 2 octets free; the first octet counts as the start of a
 * line.  Returns how many octets were taken; after the end d->at is DATA_END
 * and nothing more is taken.  With defects noted, output may be left out.
 */
size_t data_feed(struct data *d, struct str in, struct buf *out);

/*
 * BDAT: the same without dots and without an end; the caller counts.  After
 * the last chunk data_finish notes a CR that was left hanging.
 */
size_t data_chunk(struct data *d, struct str in, struct buf *out);
void data_finish(struct data *d, struct buf *out);

#endif
