/*
 * The carriers of a pass (sys/carrier.h), from the pass's side: started,
 * fed with one message at a time, heard, and buried.
 */
#ifndef SYS_CREW_H
#define SYS_CREW_H

#include <poll.h>

#include "sys/carrier.h"
#include "sys/conf.h"
#include "sys/queued.h"

enum {
	CREW_MAX = 500,
	CREW_JOB = 100, /* recipients at a time: RFC 5321 4.5.3.1.8 */
	CREW_LEAVE_MS = 60 * 1000,        /* to say QUIT */
	CREW_SILENT_MS = 6 * 3600 * 1000, /* the longest message, slowly */
	CREW_NONE = -1
};

enum crew_state {
	CREW_FREE,
	CREW_STARTING, /* has not called for a message yet */
	CREW_READY,
	CREW_BUSY,
	CREW_LEAVING
};

struct crewman {
	enum crew_state state;
	pid_t pid;
	int sock;
	int dest;
	int64_t heard_ms;
	bool served; /* has called for a message once */
	bool lost;   /* has said that its destination is out of reach */
	/* the message at hand: its index in the window, and its recipients */
	int message;
	char id[QDIR_NAME_MAX];
	unsigned ntask;
	int task[CREW_JOB]; /* CREW_NONE: its fate is known */
};

struct crew {
	unsigned n;
	struct crewman man[CREW_MAX];
	struct pollfd poll[CREW_MAX];
};

/* A carrier for the destination of this key.  Its index, or -errno, logged. */
int crew_start(struct crew *c, const struct conf *conf, struct str key);

/* The message of man->task[], with where each of its recipients begins; fd is
 * to read it by.  0 or -errno: then he is gone. */
int crew_send(struct crew *c, int man, const struct queued *q, int fd,
    const uint64_t offset[CREW_JOB]);

/* No more messages for him. */
void crew_dismiss(struct crew *c, int man);

/* What a carrier says; views live until the next call. */
enum crew_word {
	CREW_CALLS, /* ready for a message */
	CREW_FATE,  /* of recipient index */
	CREW_TOLD,  /* all of the message at hand */
	CREW_LOST,  /* the destination is out of reach */
	CREW_GONE,  /* he is, and crew_bury is due */
	CREW_QUIET  /* nothing at the moment */
};
struct crew_news {
	unsigned index;
	char fate; /* D, W, L or N */
	struct str status, text, remote, tls;
};

/* Nonsense from a carrier is his end. */
enum crew_word crew_hear(struct crew *c, int man, struct crew_news *news);

/* Ends him, if he is not dead, and frees his place. */
void crew_bury(struct crew *c, int man);

#endif
