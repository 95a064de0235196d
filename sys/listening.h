/*
 * Whether somebody listens, as the kernel tells it: nobody is called, and so
 * nobody is started.
 */
#ifndef SYS_LISTENING_H
#define SYS_LISTENING_H

#include <stdbool.h>

bool listening_unix(const char *path);

/* On any address. */
bool listening_tcp(unsigned port);

#endif
