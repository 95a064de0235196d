/*
 * One line per event, key=value.  To standard error with a <0-7> prefix
 * (journald reads it), or, when standard error is the client's socket
 * (inetd), to /dev/log through a socket of our own; an error of writing is
 * ignored, for there is nobody to tell.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "mail/str.h"

enum { LOG_LINE_MAX = 1024 };
enum log_level {
	LOGL_ERR = 3,
	LOGL_WARNING = 4,
	LOGL_NOTICE = 5,
	LOGL_INFO = 6
};

/*
 * Before the sandbox.  `program` is a constant.  Decides where lines go:
 * syslog when fd 2 is closed or is the same socket as fd 0; there it connects
 * a datagram socket to /dev/log and moves it to `fd` (none: lines are
 * dropped).
 */
void log_open(const char *program, int fd);

/* Where lines go: 2, the number given to log_open, or -1: nowhere. */
int log_fd(void);

/* From now on only lines of this level or graver ones. */
void log_limit(enum log_level most);

/* Lines go to `take`, "<4>event=...", and nowhere else; NULL: as before. */
void log_give(void (*take)(struct str line));

/* Starts a line "event" and takes fields until log_end sends it. */
struct log {
	struct buf b;
	enum log_level level;
	char text[LOG_LINE_MAX];
};
void log_begin(struct log *l, enum log_level level, const char *event);
/* key="escaped value"; quotes only where the value needs them. */
void log_str(struct log *l, const char *key, struct str value);
void log_u64(struct log *l, const char *key, uint64_t value);
void log_end(struct log *l);

/* event what=... error="No such file or directory"; err is positive errno. */
void log_errno(const char *event, const char *what, int err);
/* event what="..." */
void log_note(enum log_level level, const char *event, const char *what);

#endif
