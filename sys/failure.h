/*
 * The one place where an errno becomes what is said of a recipient.
 */
#ifndef SYS_FAILURE_H
#define SYS_FAILURE_H

#include "mail/request.h"

/* The verdict on a delivery that failed with -rc == errno; rc < 0.  Always
 * VERDICT_LATER: a disk can be emptied, a home mounted, an owner corrected. */
struct verdict failure_verdict(int rc);

#endif
