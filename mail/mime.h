/*
 * Where the parts of a message begin and end, RFC 2045 and 2046, as its lines
 * go by: enough to know which octets are a header, a body that may be encoded
 * anew, or neither.  Small and of fixed size; what is nested too deep, signed,
 * encrypted or not understood is one opaque body.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "mail/str.h"

enum {
	MIME_FIELD_MAX = 1000,  /* of a field; one that is longer is strange */
	MIME_BOUNDARY_MAX = 70, /* RFC 2046 5.1.1 */
	MIME_DEPTH_MAX = 8
};

/* What a line, or a piece of it, is. */
enum mime_kind {
	MIME_HEADER,
	MIME_BLANK, /* the end of a header */
	MIME_LEAF,  /* of the body of an entity that has no parts */
	MIME_EDGE   /* a boundary, a preamble, an epilogue */
};

enum mime_at { MIME_AT_HEADER, MIME_AT_LEAF, MIME_AT_EDGE };

struct mime {
	enum mime_at at;
	unsigned entity; /* the number of the one that is read, from 0 */
	bool opaque;     /* its body must stay as it is */
	bool is_signed;  /* there is a DKIM-Signature in the message's header */
	bool versioned;  /* ... and a MIME-Version */
	/* Of the entity whose header is read. */
	bool strange, typed, encoded, coded, multipart, digest;
	bool in_digest[MIME_DEPTH_MAX + 1];
	unsigned depth;
	unsigned char nboundary[MIME_DEPTH_MAX + 1];
	char boundary[MIME_DEPTH_MAX + 1][MIME_BOUNDARY_MAX];
	size_t nfield;
	bool cut; /* the field is longer than field[] */
	char field[MIME_FIELD_MAX];
};

/*
 * All zero is the start.  The next piece of a line, without its LF; `begins`:
 * the first one of its line, `ends`: the last one.  A line of up to 200
 * octets comes in one piece.
 */
enum mime_kind mime_take(
    struct mime *m, struct str piece, bool begins, bool ends);

/* The field that this line of a header begins with has this name. */
bool mime_is_field(struct str line, struct str name);

#endif
