/*
 * What becomes of a recipient: the three answers of SMTP, RFC 5321 4.2.1.
 * Everything unknown is LATER: try again rather than lose or bounce.
 */
#ifndef MAIL_FATE_H
#define MAIL_FATE_H

enum fate {
	DONE,  /* 2yz: safe with us or with him */
	LATER, /* 4yz: not now, try again */
	NEVER  /* 5yz: it cannot be done */
};

#endif
