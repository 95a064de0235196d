/*
 * deliver's event loop: connections of smtpd on one side, workers on the
 * other.  It hands on what it is given and never waits for anything but the
 * next event: no look-up, no file of a user, no process.
 */
#ifndef SYS_POLLER_H
#define SYS_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/request.h"
#include "sys/identity.h"
#include "sys/listen.h"
#include "sys/plan.h"
#include "sys/pool.h"
#include "sys/reload.h"
#include "sys/store.h"

enum {
	POLLER_CONNS = 4096,
	POLLER_LOOKERS = 4,  /* lookup workers */
	POLLER_STORERS = 24, /* store workers, at most SHARE_SLOTS */
	POLLER_HOMERS = 8,   /* workers that look into homes */
	POLLER_SLOW = 64,    /* users whose homes are known to be slow */
	POLLER_RECORD = REQUEST_WHOLE_MAX, /* to a worker */
	/* Milliseconds. */
	POLLER_LINE_MS = 5000, /* to wait in line ... */
	POLLER_STUCK_MS =
	    1000, /* ... but not when no worker moved for so long */
	POLLER_OPEN_MS = 10000, /* from the first R to S, lookups apart */
	POLLER_DEAF_MS = 10000, /* to take a verdict */
	POLLER_STORE_MS = 300000,
	POLLER_LOOKUP_MS = 32000, /* a little more than it gives itself */
	POLLER_HOME_MS = 3000,   /* to look into a home; it is given up then, */
	POLLER_SLOW_MS = 30000,  /* for so long, */
	POLLER_LOST_MS = 10000,  /* and its worker after this */
	POLLER_SPARE_MS = 60000, /* an idle store worker, and an idle deliver */
	POLLER_LEAVE_MS = 30000  /* after SIGTERM */
};

/* What a connection waits for. */
enum conn_state {
	CONN_FREE,
	CONN_READY,  /* its next request */
	CONN_LINE,   /* a worker for its request */
	CONN_LOOKUP, /* the answer of a lookup worker */
	CONN_FLUSH,  /* its store worker to take a record */
	CONN_STORE,  /* verdicts of its store worker */
	CONN_REFUSE  /* itself to take verdicts that were refused */
};

struct conn {
	int fd;
	enum conn_state state;
	uint32_t turn; /* tells this user of the slot from others */
	uid_t uid;
	unsigned nrcpt;     /* R that are open */
	unsigned nanswered; /* verdicts sent for S */
	int storer;         /* bound; -1 */
	bool refused;       /* no worker: S will be answered by "later" */
	bool asked;         /* anything, so far */
	unsigned events;    /* that epoll watches */
};

/* A lookup worker and its question. */
struct looker {
	struct worker w;
	int conn;      /* -1: nobody waits for the answer */
	uint32_t turn; /* of that connection */
	bool busy;
	int64_t since_ms;
	uint64_t age; /* of the cache when it was asked */
	size_t nquestion;
	char question[REQUEST_MAX];
};

/* A store worker. */
struct storer {
	struct worker w;
	int conn;         /* bound to; -1 */
	bool busy;        /* it holds recipients or stores */
	bool old;         /* made for an older configuration */
	int64_t since_ms; /* bound, storing or idle */
	int64_t bound_ms; /* from the first R on, however many follow */
	int64_t stuck_ms; /* a verdict for its connection waits since then */
	unsigned due;     /* verdicts that S still has to bring */
	unsigned events;
	/* A record that could not be sent yet, to it or from it. */
	int out_fd;
	size_t nout, nback;
	char out[POLLER_RECORD];
	char back[REQUEST_MAX];
};

/* Who stands in line for a worker: a connection at most once. */
struct waiting {
	unsigned conn;
	uint32_t turn;
	int64_t since_ms;
	size_t n; /* octets of its request, in waiting[conn] */
};

/* A worker that looks into a home for a lookup worker. */
struct homer {
	struct worker w;
	int looker; /* that waits for the answer; -1 */
	bool busy;
	uint32_t uid;
	int64_t since_ms;
};

/* A user whose home did not answer in time. */
struct slow {
	uint32_t uid; /* 0: none */
	int64_t until_ms;
};

struct poller {
	struct store store; /* what store workers are told */
	struct reload *conf;
	struct listeners *listeners;
	bool single; /* serves one connection, then leaves */
	bool locked; /* in the sandbox; not without a configuration */
	bool fresh;  /* the files were looked at in this round */
	int fault;   /* -errno that ends us */
	bool leaving;
	int64_t accept_ms; /* accepting again from then on; 0: now */
	int epoll;
	int64_t now_ms, idle_since_ms, leave_ms;
	unsigned nconns, nline;
	struct conn conn[POLLER_CONNS];
	struct looker looker[POLLER_LOOKERS];
	struct storer storer[POLLER_STORERS];
	struct homer homer[POLLER_HOMERS];
	struct slow slow[POLLER_SLOW];
	struct waiting line[POLLER_CONNS];
	char waiting[POLLER_CONNS][REQUEST_MAX];
};

/* Starts the lookup workers and prepares everything else; `single_fd` is a
 * connection that is already there, or -1.  0 or -errno, logged. */
int poller_prepare(struct poller *p, int single_fd);

/* Locks itself in and runs until it is time to leave.  0 or -errno. */
int poller_run(struct poller *p);

/* --- for the files of the poller alone ---------------------------------- */

/* poller.c: what epoll watches; the end of a connection, with a reason for
 * the log when the peer broke the protocol. */
#define POLLER_UNWATCHED UINT32_MAX /* in the place of its events */
enum poller_what {
	WHAT_LISTENER,
	WHAT_CONN,
	WHAT_LOOKER,
	WHAT_STORER,
	WHAT_HOMER
};
int poller_watch(struct poller *p, enum poller_what what, unsigned i,
    uint32_t turn, int fd, unsigned events, unsigned *now);
/* Once in a round with requests: has the configuration changed, or a file
 * that plans came from? */
void poller_refresh(struct poller *p);
void poller_unwatch(struct poller *p, int fd);
void poller_end(struct poller *p, unsigned c, const char *why);

/* attend.c: the requests of a connection. */
void attend_readable(struct poller *p, unsigned c);
void attend_writable(struct poller *p, unsigned c);
void attend_answer(struct poller *p, unsigned c, struct str question,
    struct str answer);             /* of a lookup worker; empty: it failed */
void attend_line(struct poller *p); /* a worker may be free */
void attend_lost(struct poller *p, unsigned c); /* its store worker is gone */
void attend_done(struct poller *p, unsigned c); /* has all its verdicts */
void attend_flushed(struct poller *p, unsigned c); /* a held record is out */

/* looker.c: the lookup workers. */
int looker_start(struct poller *p); /* before the lock-down */
/* Asks for connection c.  0, or -EAGAIN: nobody is free. */
int looker_ask(struct poller *p, unsigned c, struct str question);
void looker_event(struct poller *p, unsigned i);
void looker_lost(struct poller *p, unsigned i); /* ends it */
void looker_clock(struct poller *p);
int64_t looker_next_ms(const struct poller *p); /* the next deadline */
bool looker_stuck(const struct poller *p);      /* nobody will be free soon */
bool looker_any(const struct poller *p);

/* homer.c: workers that look into homes. */
void homer_start(struct poller *p);
/* What lookup worker i asks back.  Answered, sooner or later; -EBADMSG. */
int homer_ask(struct poller *p, unsigned i, struct str question);
void homer_event(struct poller *p, unsigned i);
void homer_excuse(struct poller *p, unsigned looker); /* it has ended */
void homer_clock(struct poller *p);
int64_t homer_next_ms(const struct poller *p);

/* storer.c: the store workers. */
void storer_start(struct poller *p);
int storer_bind(struct poller *p, unsigned c); /* 0 or -EAGAIN */
/* Sends a record to c's worker; fd is closed.  0; STORER_HELD (it will be
 * sent, and nothing else may be until then); or -EPIPE: the worker is gone. */
enum { STORER_HELD = 1 };
int storer_pass(struct poller *p, unsigned c, struct str record, int fd);
void storer_unbind(struct poller *p, unsigned c);
void storer_resume(struct poller *p, unsigned c); /* c takes verdicts again */
void storer_excuse(struct poller *p, unsigned c); /* its time starts again */
void storer_renew(struct poller *p); /* the configuration is another one */
void storer_event(struct poller *p, unsigned i, unsigned events);
void storer_clock(struct poller *p);
int64_t storer_next_ms(const struct poller *p);
bool storer_stuck(const struct poller *p);
bool storer_busy(const struct poller *p);

#endif
