/*
 * Mail of a host whose name nobody knows, made such that a smarthost takes
 * it: it goes out as an address that the smarthost allows, and still says who
 * wrote it.
 *
 * From: root			From: "root at host.example" <me@isp.example>
 *				Reply-To: root@host.example
 * To: root			To: root@host.example
 *
 * Only addresses are replaced, and only ours: bare ones, and those in our
 * domains.  Nothing else of a header changes, and nothing of a body; a
 * message that is signed or encrypted stays as it is.
 */
#ifndef MAIL_MASQUERADE_H
#define MAIL_MASQUERADE_H

#include "mail/addr.h"
#include "mail/str.h"

enum {
	MASQUERADE_HEADER_MAX = 64 * 1024, /* a longer one stays as it is */
	MASQUERADE_ROOM = 2 * MASQUERADE_HEADER_MAX
};

struct masquerade {
	struct str address; /* local@domain, or @domain: local parts stay */
	struct str hostname, origin;
	bool (*is_local)(void *self, struct str domain);
	void *self;
};

/* The reverse-path instead of `sender`; the null one stays what it is. */
void masquerade_sender(
    const struct masquerade *m, struct str sender, struct buf *out);

/*
 * `in` begins with a header, LF line ends; `sender` is the reverse-path that
 * it had, which stands for a From that is missing.  0, *used the octets of
 * the header with its blank line, and what stands for them in *out; or
 * MASQUERADE_KEEP: it has to stay as it is, needs no change, or has no end
 * within `in`.
 */
enum { MASQUERADE_KEEP = 1 };
int masquerade_header(const struct masquerade *m, struct str sender,
    struct str in, size_t *used, struct buf *out);

/* Looks for PGP in the text of a message (RFC 4880 6.2), which is fed in
 * pieces of any size; all zero is the start. */
struct masquerade_look {
	bool within; /* a line that is something else */
	unsigned char n;
	bool found;
};
void masquerade_look(struct masquerade_look *l, struct str text);

#endif
