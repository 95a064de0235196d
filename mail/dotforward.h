/*
 * The text of forward(5), which a user writes: targets as in aliases(5), but
 * a path is within his home, and nothing is included.
 */
#ifndef MAIL_DOTFORWARD_H
#define MAIL_DOTFORWARD_H

#include "mail/alias.h"

enum { DOTFORWARD_TEXT_MAX = 64 * 1024 }; /* octets of one file */

/*
 * The next target off the front of *text, as alias_target_next does it; what
 * begins with ~/ or ./, or is no address and has a / in it, is a file.  0,
 * ALIAS_END or ALIAS_BAD.
 */
int dotforward_next(struct str *text, char *room, struct alias_target *t);

enum dotforward_kind { DOTFORWARD_MBOX, DOTFORWARD_MAILDIR };

/*
 * What the path of an ALIAS_FILE means for the user with this home: appended
 * to *out, absolute, without a slash at its end.  *kind: with a slash there
 * it is a Maildir.  0, or ALIAS_BAD when it leads out of the home, is the
 * home itself, or does not fit.
 */
int dotforward_path(struct str home, struct str path, struct buf *out,
    enum dotforward_kind *kind);

#endif
