/*
 * The version, and the option that every program knows.
 */
#include "sys/version.h"

#include <stdio.h>
#include <string.h>

const char version[] = POSTERN_VERSION;

bool version_asked(int argc, char **argv, const char *program)
{
	if (argc != 2 || strcmp(argv[1], "--version") != 0)
		return false;
	printf("%s (postern) %s\n", program, version);
	return true;
}
