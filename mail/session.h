/*
 * One SMTP session of a receiver, RFC 5321, as an automaton over octets.  It
 * knows no system call: whatever must be asked or done outside stands in
 * struct session_host.  Every octet of the client goes through
 * session_input; every octet for him comes out in s->out.
 */
#ifndef MAIL_SESSION_H
#define MAIL_SESSION_H

#include "mail/command.h"
#include "mail/data.h"
#include "mail/header.h"
#include "mail/net.h"
#include "mail/request.h"
#include "mail/secured.h"
#include "mail/str.h"
#include "mail/trace.h"

enum {
	SESSION_RCPT_MAX = 4096,   /* recipient-limit can be no more */
	SESSION_ROOM = 256 * 1024, /* text of all recipients of a message */
	/* content on its way to the host; what fits needs no file */
	SESSION_CONTENT = REQUEST_CONTENT_MAX,
	SESSION_OUT = 4096,       /* replies not sent yet */
	SESSION_REPLY_MAX = 1024, /* octets that one command may answer */
	SESSION_ID_MAX = 32,
	SESSION_FIELDS = 512,      /* room for Date and Message-ID */
	SESSION_OWNERS_MAX = 15,   /* different ones of a message */
	SESSION_SLACK = 64 * 1024, /* what is in the queue was small enough */
	SESSION_ERRORS_MAX = 20,   /* refused commands, then 421 */
	SESSION_JUNK_MAX = 100     /* commands that lead to no message */
};

/* How the queue pass greets on the unix socket, where its uid does not tell it
 * from others: what cannot be settled now is refused, for it is in a queue
 * already. */
#define SESSION_QUEUE_HELO "queue.localhost"

/* What the session is told once, before its first octet. */
struct session_setup {
	struct str hostname; /* A-label; ours */
	struct str origin;   /* qualifies a bare reverse-path */
	uint64_t size_limit_bytes;
	unsigned rcpt_limit; /* at most SESSION_RCPT_MAX */
	bool local;          /* unix socket; uid and user hold */
	bool inside;         /* may relay; unqualified addresses are good */
	bool normalize;      /* bare-newline normalize */
	bool piped;          /* no network: input may be sent ahead */
	bool queue;          /* local: it is the queue pass ... */
	bool queue_helo;     /* ... or it is when it greets like it */
	bool starttls;       /* is offered */
	bool require_tls;    /* no mail without it */
	struct netaddr peer; /* unless local */
	uint32_t uid;
	struct str user;
};

/* Where the session stands, RFC 5321 4.1.4; a bit each for the verb table. */
enum session_state {
	SESSION_START = 1,  /* no EHLO or HELO yet */
	SESSION_READY = 2,  /* greeted, no transaction */
	SESSION_MAIL = 4,   /* reverse-path, no recipient */
	SESSION_RCPT = 8,   /* one recipient at least */
	SESSION_CHUNKS = 16 /* in the middle of BDAT */
};

/* What the next octets are. */
enum session_phase {
	SESSION_COMMAND, /* a command line */
	SESSION_SKIP,    /* the rest of a line that was too long */
	SESSION_DATA,    /* content, ended by CR LF . CR LF */
	SESSION_CHUNK,   /* content of one BDAT */
	SESSION_TLS,     /* nothing: STARTTLS has to be answered */
	SESSION_CLOSED   /* nothing more is read */
};

enum session_route {
	SESSION_LOCAL,    /* to deliver, at once */
	SESSION_DEFERRED, /* ours too, but cannot be asked for now: queued */
	SESSION_QUEUED    /* of another host */
};

struct session_rcpt {
	uint32_t at; /* offset of local part, domain, ORCPT in room[] */
	unsigned char nlocal, ndomain;
	unsigned short norcpt;
	unsigned char notify;
	bool ours; /* the domain is one of ours, or there is none */
	/* an alias that leads elsewhere too: its addresses follow it, and this
	 * is request_sum of them */
	bool forwarded;
	uint32_t sum;
	unsigned short nowner; /* in room[] behind ORCPT */
	bool rewritten;        /* that is the sender, not the owner of a list */
	unsigned short nvia;   /* behind that: of the first that an address
				* of ours leads to, that address */
	enum session_route route;
	enum addr_host host;
};

struct session;

/* `self` is the host's own; a view handed in lives until the call returns. */
struct session_host {
	void *self;

	/* May this recipient be had, local or in a domain that we forward for
	 * anyone?  VERDICT_FORWARD: he is an alias, and *f says for whom.
	 * Views live until the next call of a host function. */
	void (*lookup)(void *self, const struct addr *to, struct verdict *v,
	    struct forwards *f);

	/* Is the recipient's domain ours, or one that we forward for anyone? */
	bool (*is_local)(void *self, const struct addr *to);
	bool (*is_relayed)(void *self, const struct addr *to);

	/* A new message; *id names it (lives until it is closed).  0 or
	 * -errno. */
	int (*open)(void *self, struct str *id);

	/* The next octets of it, when they do not fit in SESSION_CONTENT. */
	int (*write)(void *self, struct str content);

	/*
	 * `rest` are its last octets, or all: nothing may have been written.
	 * Stores or queues it for all recipients, or for none; *v is what the
	 * client is told.
	 */
	void (*commit)(void *self, const struct session *s, struct str rest,
	    struct verdict *v);

	/* The message is over: release what open took.  After every open. */
	void (*close)(void *self);

	/* Octets wait to be read beyond those handed in. */
	bool (*pending)(void *self);

	/* Seconds since the epoch and the offset in minutes. */
	int64_t (*now)(void *self, int *offset_minutes);

	/* A refused command, for the log: the line and the reply. */
	void (*refused)(void *self, struct str line, struct str reply);

	/* Is there room for a message of so many octets (0: not declared)? */
	bool (*has_room)(void *self, uint64_t size_bytes);

	/* May this local user, who is not the queue pass, send as `from`?
	 * Views in *v as above. */
	void (*may_send)(
	    void *self, const struct addr *from, struct verdict *v);
};

struct session {
	const struct session_setup *set;
	const struct session_host *host;
	enum session_state state;
	enum session_phase phase;
	struct buf out;

	/* greeting */
	bool esmtp;
	size_t nhelo;
	char helo[DOMAIN_MAX + 2];

	/* TLS: never lost again once it is there */
	bool secured;
	unsigned char nversion, ncipher;
	char version[SECURED_WORD_MAX], cipher[SECURED_WORD_MAX];

	/* envelope */
	struct mail_command mail;
	unsigned nrcpt;     /* kept, addresses of aliases among them */
	unsigned ngiven;    /* by RCPT */
	unsigned nprefix;   /* octets of the content before Received: what
				* deliver writes itself for its copies */
	unsigned overshoot; /* recipients refused as too many */
	struct buf room;
	char envid[ENVID_MAX];

	/* content */
	struct data data;
	struct header header;
	struct buf content;
	uint64_t size_bytes; /* of the content, without our trace */
	uint64_t chunk_left; /* octets of this BDAT not read yet */
	bool chunk_last;
	unsigned chunk_code; /* not 0: the octets are dropped, then this */
	struct verdict chunk_fault; /* ... with this text when it is 451 */
	bool opened;                /* host->open was done, close is due */
	int fault;                  /* -errno of the host's write, or 0 */

	/* counts: for the budgets, and for the closing line of the log */
	unsigned errors, junk; /* since the last message */
	uint64_t naccepted, nrefused;
	bool refused; /* the command at hand got 4yz or 5yz */
	bool quit;    /* the end was the client's wish */

	/* What every session needs comes first: a page of memory that is
	 * never written costs nothing. */
	char id_text[SESSION_ID_MAX];
	char out_text[SESSION_OUT];
	struct session_rcpt rcpt[SESSION_RCPT_MAX];
	char room_text[SESSION_ROOM];
	char content_text[SESSION_CONTENT];
};

/* Starts the session and puts the greeting out. */
void session_init(struct session *s, const struct session_setup *set,
    const struct session_host *host);

/* As session_init, for a client who is turned away: one reply, then closed.
 * `status` "4.3.5" and text without line ends. */
void session_turn_away(struct session *s, const char *status, const char *text);

/*
 * The octets that were read and not taken yet; returns how many are taken
 * now, 0 when more are needed first.  `in` holds at least
 * COMMAND_PATH_LINE_MAX octets or all there is; a longer line is skipped.
 * Call again as long as it takes octets; send s->out and clear it before
 * waiting, and whenever fewer than SESSION_REPLY_MAX octets of it are free.
 */
size_t session_input(struct session *s, struct str in);

/*
 * STARTTLS, RFC 3207: the phase is SESSION_TLS, no octet is taken.  Either the
 * client is told to go on, and after the handshake session_secured makes it a
 * new session; or he hears 454 and it goes on in clear.
 */
void session_tls_go(struct session *s);
void session_tls_refuse(struct session *s);

/*
 * From now on all octets are protected: whatever was said before is
 * forgotten (RFC 3207 4.2).  Also before session_init, when TLS comes first.
 */
void session_secured(struct session *s, const struct secured *how);

/* Between commands: 421 and closed.  `status` as "4.3.2". */
void session_shutdown(struct session *s, const char *status, const char *text);

/* True where session_shutdown may be called: no message is half read. */
bool session_is_idle(const struct session *s);

/* The client is gone, or will be: gives up what was begun. */
void session_end(struct session *s);

/* The i-th recipient; views live until the transaction ends. */
struct str session_rcpt_local(const struct session *s, unsigned i);
struct str session_rcpt_domain(const struct session *s, unsigned i);
struct str session_rcpt_orcpt(const struct session *s, unsigned i);
struct str session_rcpt_via(const struct session *s, unsigned i);
/* The reverse-path in the place of the sender's; empty: none. */
struct str session_rcpt_owner(const struct session *s, unsigned i);
/* ... and as the address that RCPT gave. */
void session_rcpt_addr(const struct session *s, unsigned i, struct addr *a);
/* local@domain as it goes into Delivered-To, appended to b. */
void session_rcpt_put(const struct session *s, unsigned i, struct buf *b);
/* Is the client the queue pass? */
bool session_is_queue(const struct session *s);
/* Has the client no queue of his own, so that what cannot be settled now goes
 * into ours? */
bool session_defers(const struct session *s);
/* Octets that a message may have. */
uint64_t session_size_limit(const struct session *s);
/* The reverse-path as text without brackets, qualified; empty for <>. */
void session_from_put(const struct session *s, struct buf *b);

#endif
