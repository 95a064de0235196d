/*
 * Starts deliver beside us when nothing listens in the run directory: on
 * inetd systems, and for an ordinary user.  Whoever calls still has the
 * rights that deliver will need; smtpd gives its own up afterwards.
 */
#ifndef SYS_STARTER_H
#define SYS_STARTER_H

#include "mail/str.h"

/* The path of the program beside our own, with its NUL.  0 or -errno. */
int starter_program(const char *name, char *room, size_t max);

/*
 * For one session: a socket that leads to a deliver which is only executed
 * when the first request is sent.  The descriptor or -errno, logged.
 */
int starter_on_demand(const char *conf_path);

/*
 * For a listener: keeps `deliver -l unix:RUN/deliver` running for as long as
 * we live, and waits until it answers.  0 or -errno, logged.
 */
int starter_keep(const char *conf_path, const char *run_directory);

/*
 * Likewise a tls, for one session or for a listener: a socket on which it gets
 * its work (sys/pair.h).  It is executed when there is some, and again when it
 * has ended, for as long as anybody has the socket.  The descriptor or
 * -errno, logged.
 */
int starter_tls(const char *conf_path);

#endif
