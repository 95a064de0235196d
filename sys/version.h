/*
 * Which postern this is: the VERSION of the Makefile.
 */
#ifndef SYS_VERSION_H
#define SYS_VERSION_H

#include <stdbool.h>

extern const char version[];

/* "--version" is all that is asked: prints "PROGRAM (postern) 1.2". */
bool version_asked(int argc, char **argv, const char *program);

#endif
