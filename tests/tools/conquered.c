/*
 * smtpd, conquered: made of its own objects, but for its parser, which obeys
 * whoever says the word.  So everything before it is as it is: the listener,
 * the descriptors, the connection to deliver, the lock-down.
 */
#include "mail/session.h"
#include "tests/tools/obey.h"

size_t __real_session_input(struct session *s, struct str in);
size_t __wrap_session_input(struct session *s, struct str in);

/* In the place of session_input. */
size_t __wrap_session_input(struct session *s, struct str in)
{
	if (!str_eq(in, STR("CONQUER\r\n")))
		return __real_session_input(s, in);
	obey(0);
}
