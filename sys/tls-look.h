/*
 * What the certificates of a configuration are worth, for `tls -t`: a line for
 * each pair of them, fields with tabs between:
 *
 *	certificate  ok|warning|fault|unseen|closed  file  text
 *
 * unseen: we may not read it, so nothing can be said; closed: it is good, but
 * the account _postern-tls cannot read it (told only to root).
 */
#ifndef SYS_TLS_LOOK_H
#define SYS_TLS_LOOK_H

#include "sys/conf.h"

enum { TLS_LOOK_DAYS = 14 }; /* before its end a certificate is warned of */

/* Prints the lines.  How many of them are faults. */
unsigned tls_look(const struct conf *c);

#endif
