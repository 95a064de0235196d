/*
 * What this kernel has of the walls that sys/sandbox.h builds.
 */
#ifndef SYS_WALLS_H
#define SYS_WALLS_H

#include <stdbool.h>

struct walls {
	int landlock_abi; /* 0: none */
	bool seccomp;
};

void walls_look(struct walls *w);

#endif
