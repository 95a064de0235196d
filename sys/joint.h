/*
 * Two ends made one: what comes in on standard input goes to a socket, what
 * comes from there to standard output.
 */
#ifndef SYS_JOINT_H
#define SYS_JOINT_H

/* Until the socket's other end is closed.  0 or -errno. */
int joint_run(int sock);

#endif
