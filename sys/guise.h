/*
 * As whom mail goes out over a next hop: masquerade of postern.conf(5).
 */
#ifndef SYS_GUISE_H
#define SYS_GUISE_H

#include "mail/masquerade.h"
#include "sys/conf.h"

/*
 * The rule for this hop: the first one that names it, or, when it is a
 * `smarthost`, the first that names none.  False when there is none: then
 * mail goes out as it is, as it always does to LMTP and to unix sockets.
 * Views of the configuration.
 */
bool guise_find(const struct conf *c, const struct hop *hop, bool smarthost,
    struct masquerade *m);

#endif
