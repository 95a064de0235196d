/*
 * A table of the options.  Each takes no value, one that is glued or the next
 * argument, or one that can only be glued.
 */
#include "mail/cmdline.h"

enum value {
	VALUE_NONE,
	VALUE_NEEDED, /* glued, or the next argument */
	VALUE_GLUED   /* glued or none at all */
};

/* Returns what is wrong, or NULL. */
struct option {
	char letter;
	enum value value;
	const char *(*take)(struct cmdline *c, struct str value);
};

static bool is_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' || s.p[i] == '\r')
			return false;
	return true;
}

static const char *take_nothing(struct cmdline *c, struct str v)
{
	(void)c;
	(void)v;
	return NULL;
}

static const char *take_mode(struct cmdline *c, struct str v)
{
	static const struct {
		char letter;
		enum cmdline_mode mode;
	} rows[] = {
		{ 'm', CMDLINE_SEND },
		{ 's', CMDLINE_SMTP },
		{ 'p', CMDLINE_QUEUE },
		{ 'i', CMDLINE_ALIASES },
		{ 'v', CMDLINE_ROUTE },
	};

	for (size_t i = 0; v.n == 1 && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].letter == v.p[0]) {
			c->mode = rows[i].mode;
			return NULL;
		}
	if (v.n == 1 && (v.p[0] == 'd' || v.p[0] == 'D' || v.p[0] == 'l'))
		return "there is no daemon to start: smtpd(8) is started by "
		       "a socket";
	return "no such mode; -bm -bs -bp -bi -bv are known";
}

static const char *take_sender(struct cmdline *c, struct str v)
{
	if (!is_line(v))
		return "a line end in the sender";
	c->sender = v;
	c->has_sender = true;
	return NULL;
}

static const char *take_name(struct cmdline *c, struct str v)
{
	if (!is_line(v))
		return "a line end in the full name";
	c->name = v;
	c->has_name = true;
	return NULL;
}

static const char *take_body(struct cmdline *c, struct str v)
{
	(void)c;
	if (str_eqcase(v, STR("7BIT")) || str_eqcase(v, STR("8BITMIME")))
		return NULL;
	return "7BIT or 8BITMIME is needed";
}

static const char *take_notify(struct cmdline *c, struct str v)
{
	static const struct {
		struct str word;
		unsigned bit;
	} rows[] = {
		{ { "never", 5 }, NOTIFY_NEVER },
		{ { "success", 7 }, NOTIFY_SUCCESS },
		{ { "failure", 7 }, NOTIFY_FAILURE },
		{ { "delay", 5 }, NOTIFY_DELAY },
	};
	unsigned notify = 0;
	struct str word;

	while (str_cut(&v, ',', &word)) {
		unsigned bit = 0;

		word = str_trim(word);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (str_eqcase(word, rows[i].word))
				bit = rows[i].bit;
		if (bit == 0)
			return "never, or of success, failure and delay some";
		notify |= bit;
	}
	if (notify == 0 ||
	    ((notify & NOTIFY_NEVER) != 0 && notify != NOTIFY_NEVER))
		return "never, or of success, failure and delay some";
	c->notify = notify;
	return NULL;
}

static const char *take_return(struct cmdline *c, struct str v)
{
	if (str_eqcase(v, STR("full")))
		c->ret = RET_FULL;
	else if (str_eqcase(v, STR("hdrs")))
		c->ret = RET_HDRS;
	else
		return "full or hdrs is needed";
	return NULL;
}

/* xtext says three octets for some of one. */
static const char *take_envid(struct cmdline *c, struct str v)
{
	size_t octets = 0;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < ' ' || v.p[i] > '~')
			return "only printing ASCII can be an envelope id";
		octets +=
		    v.p[i] == ' ' || v.p[i] == '+' || v.p[i] == '=' ? 3 : 1;
	}
	if (octets > CMDLINE_ENVID_MAX)
		return "an envelope id that is too long";
	c->envid = v;
	return NULL;
}

/* -oi is the one among these that matters. */
static const char *take_o(struct cmdline *c, struct str v)
{
	if (str_eq(v, STR("i")))
		c->keep_dots = true;
	return NULL;
}

static const char *take_queue(struct cmdline *c, struct str v)
{
	if (v.n > 0 && str_isdigit(v.p[0]))
		return "there is no daemon: a timer starts queue(8)";
	c->mode = CMDLINE_FLUSH;
	return NULL;
}

static const char *take_dots(struct cmdline *c, struct str v)
{
	(void)v;
	c->keep_dots = true;
	return NULL;
}

static const char *take_header(struct cmdline *c, struct str v)
{
	(void)v;
	c->header_rcpts = true;
	return NULL;
}

static const char *take_verbose(struct cmdline *c, struct str v)
{
	(void)v;
	c->verbose = true;
	return NULL;
}

static const char *take_aliases(struct cmdline *c, struct str v)
{
	(void)v;
	c->mode = CMDLINE_ALIASES;
	return NULL;
}

/* clang-format off */
static const struct option options[] = {
	{ 'A', VALUE_NEEDED,	take_nothing },
	{ 'B', VALUE_NEEDED,	take_body },
	{ 'C', VALUE_NEEDED,	take_nothing },
	{ 'D', VALUE_NEEDED,	take_nothing },	/* never written to */
	{ 'F', VALUE_NEEDED,	take_name },
	{ 'G', VALUE_NONE,	take_nothing },
	{ 'I', VALUE_NONE,	take_aliases },
	{ 'L', VALUE_NEEDED,	take_nothing },
	{ 'M', VALUE_NEEDED,	take_nothing },
	{ 'N', VALUE_NEEDED,	take_notify },
	{ 'O', VALUE_NEEDED,	take_nothing },
	{ 'R', VALUE_NEEDED,	take_return },
	{ 'U', VALUE_NONE,	take_nothing },
	{ 'V', VALUE_NEEDED,	take_envid },
	{ 'X', VALUE_NEEDED,	take_nothing },	/* never written to */
	{ 'b', VALUE_NEEDED,	take_mode },
	{ 'c', VALUE_NONE,	take_nothing },
	{ 'd', VALUE_GLUED,	take_nothing },
	{ 'e', VALUE_NEEDED,	take_nothing },
	{ 'f', VALUE_NEEDED,	take_sender },
	{ 'h', VALUE_NEEDED,	take_nothing },
	{ 'i', VALUE_NONE,	take_dots },
	{ 'm', VALUE_NONE,	take_nothing },
	{ 'n', VALUE_NONE,	take_nothing },
	{ 'o', VALUE_NEEDED,	take_o },
	{ 'p', VALUE_NEEDED,	take_nothing },
	{ 'q', VALUE_GLUED,	take_queue },
	{ 'r', VALUE_NEEDED,	take_sender },
	{ 's', VALUE_NONE,	take_nothing },
	{ 't', VALUE_NONE,	take_header },
	{ 'v', VALUE_NONE,	take_verbose },
	{ 'x', VALUE_NONE,	take_nothing },
};
/* clang-format on */

static const struct option *find(char letter)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* One argument that begins with "-", at argv[*at]; *at moves on to what is
 * used up last. */
static const char *take_cluster(
    struct cmdline *c, int argc, const char *const *argv, int *at)
{
	struct str rest = str_skip(str_of(argv[*at]), 1);

	while (rest.n > 0) {
		const struct option *o = find(rest.p[0]);
		struct str value;
		const char *wrong;

		if (!o)
			return "unknown option";
		rest = str_skip(rest, 1);
		value = rest;
		if (o->value == VALUE_NONE)
			value = STR("");
		else
			rest.n = 0;
		if (o->value == VALUE_NEEDED && value.n == 0) {
			if (*at + 1 >= argc)
				return "a value is needed";
			value = str_of(argv[++*at]);
		}
		wrong = o->take(c, value);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static enum cmdline_mode mode_of(const char *program)
{
	struct str name = str_of(program), part;

	for (struct str rest = name; str_cut(&rest, '/', &part);)
		name = part;
	if (str_eq(name, STR("mailq")))
		return CMDLINE_QUEUE;
	if (str_eq(name, STR("newaliases")))
		return CMDLINE_ALIASES;
	return CMDLINE_SEND;
}

int cmdline_parse(struct cmdline *c, int argc, const char *const *argv,
    const char **why, struct str *option)
{
	int i = 1;

	*c = (struct cmdline){ .mode =
				   argc > 0 ? mode_of(argv[0]) : CMDLINE_SEND };
	for (; i < argc; i++) {
		struct str arg = str_of(argv[i]);

		if (arg.n < 2 || arg.p[0] != '-')
			break;
		if (str_eq(arg, STR("--"))) {
			i++;
			break;
		}
		*option = arg;
		*why = take_cluster(c, argc, argv, &i);
		if (*why)
			return CMDLINE_BAD;
	}
	c->first = i < argc ? i : argc;
	return 0;
}
