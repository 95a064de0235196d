/*
 * Which code points may stand in a U-label, RFC 5892: letters, digits and
 * marks that no mapping changes; hence no capitals, no compatibility forms.
 */
#ifndef MAIL_IDNA_H
#define MAIL_IDNA_H

#include <stdbool.h>
#include <stdint.h>

/*
 * PVALID, or one of the printing code points that ask for a context (RFC 5892
 * appendix A.3 to A.9; the context is not looked at).  Code points that were
 * unassigned amid allowed ones are allowed, so that an older table does not
 * refuse what a newer Unicode adds to a script.
 */
bool idna_allowed(uint32_t code);

#endif
