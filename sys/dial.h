/*
 * Connecting to a way that sys/reach.h has found.
 */
#ifndef SYS_DIAL_H
#define SYS_DIAL_H

#include "sys/reach.h"

/* A connected, non-blocking socket, or -errno; -ETIMEDOUT after patience_s. */
int dial(const struct reach_way *way, unsigned patience_s);

#endif
