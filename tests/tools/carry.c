/*
 * A pass of one destination, for tests: forks a carrier, hands it messages,
 * and prints what it is told.
 *
 *	carry KEY=VALUE...
 *
 *	hostname= domain= hop= (again for each) credentials= resolver=
 *	trust-anchor=	the destination
 *	sender= envid= ret=F|H body=8|B flags=[sut]
 *	rcpt=ADDRESS[,NOTIFY[,ORCPT]] (again for each)
 *				a message's envelope
 *	content=FILE		... and the message itself: it is sent
 *
 * Prints each record on a line, its fields in quotes: V "0" "D" "2.0.0" ...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/qfile.h"
#include "mail/request.h"
#include "sys/carrier.h"
#include "sys/io.h"
#include "sys/log.h"

enum { MESSAGES = 64, COPY = 65536 };

static struct carrier destination;

static struct message {
	int fd;
	unsigned nrcpt;
	uint64_t at[QFILE_RCPT_MAX];
} * message[MESSAGES];
static unsigned nmessages;

static struct {
	struct qfile_head head;
	struct qfile_rcpt rcpt[QFILE_RCPT_MAX];
} envelope;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "carry: %s: %s\n", what, strerror(errno));
	exit(70);
}

static void write_all(int fd, struct str s)
{
	if (io_write_file(fd, s) < 0)
		die("write");
}

static void copy(struct qfile_sum *sum, int to, const char *name)
{
	static char block[COPY];
	int from = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (from < 0)
		die(name);
	while ((n = read(from, block, sizeof(block))) > 0) {
		qfile_add_content(sum, str_at(block, (size_t)n));
		write_all(to, str_at(block, (size_t)n));
	}
	close(from);
}

static void add_message(const char *name)
{
	static char room[QFILE_HEAD_MAX + QFILE_RCPT_OCTETS];
	struct message *m = calloc(1, sizeof(*m));
	struct qfile_sum sum = { 0 };
	struct buf b = BUF(room);

	if (m == NULL || nmessages == MESSAGES)
		die("too many messages");
	m->fd = memfd_create("message", MFD_CLOEXEC);
	if (m->fd < 0)
		die("memfd");
	m->nrcpt = envelope.head.nrcpt;
	qfile_put_head(&sum, &b, &envelope.head);
	for (unsigned i = 0; i < m->nrcpt; i++) {
		write_all(m->fd, buf_str(&b));
		m->at[i] = sum.octets;
		buf_clear(&b);
		qfile_put_rcpt(&sum, &b, &envelope.rcpt[i]);
		if (b.full) {
			errno = EINVAL;
			die(envelope.rcpt[i].address.p);
		}
	}
	write_all(m->fd, buf_str(&b));
	copy(&sum, m->fd, name);
	buf_clear(&b);
	qfile_put_end(&sum, &b);
	write_all(m->fd, buf_str(&b));
	message[nmessages++] = m;
	memset(&envelope, 0, sizeof(envelope));
}

static void add_rcpt(struct str s)
{
	struct qfile_rcpt *r = &envelope.rcpt[envelope.head.nrcpt++];
	struct str notify;
	uint64_t n;

	*r = (struct qfile_rcpt){ .status = QFILE_NEW };
	(void)str_cut(&s, ',', &r->address);
	(void)str_cut(&s, ',', &notify);
	if (str_u64(notify, &n) == 0)
		r->notify = (unsigned)n;
	r->orcpt = s;
}

static void add_hop(struct str s)
{
	const char *why;

	if (destination.nhops == CARRIER_HOPS ||
	    hop_parse(s, &destination.hop[destination.nhops++], &why) != 0) {
		errno = EINVAL;
		die(s.p);
	}
}

static bool set_destination(struct str key, const char *value)
{
	if (str_eq(key, STR("hostname")))
		destination.hostname = str_of(value);
	else if (str_eq(key, STR("domain")))
		destination.domain = str_of(value);
	else if (str_eq(key, STR("hop")))
		add_hop(str_of(value));
	else if (str_eq(key, STR("credentials")))
		destination.credentials = value;
	else if (str_eq(key, STR("resolver")))
		destination.dns.resolver = value;
	else if (str_eq(key, STR("trust-anchor")))
		destination.dns.trust_anchor = value;
	else
		return false;
	return true;
}

static bool set_message(struct str key, const char *value)
{
	struct qfile_head *h = &envelope.head;

	if (str_eq(key, STR("sender"))) {
		h->sender = str_of(value);
	} else if (str_eq(key, STR("envid"))) {
		h->envid = str_of(value);
	} else if (str_eq(key, STR("ret"))) {
		h->ret = value[0];
	} else if (str_eq(key, STR("body"))) {
		h->body = value[0] == '8' ? QFILE_8BIT : QFILE_BINARY;
	} else if (str_eq(key, STR("flags"))) {
		h->submitted = strchr(value, 's') != NULL;
		h->utf8 = strchr(value, 'u') != NULL;
		h->requiretls = strchr(value, 't') != NULL;
	} else if (str_eq(key, STR("rcpt"))) {
		add_rcpt(str_of(value));
	} else if (str_eq(key, STR("content"))) {
		add_message(value);
	} else {
		return false;
	}
	return true;
}

/* --- the pass ------------------------------------------------------------ */

static void print_record(struct str s)
{
	char text[4 * CARRIER_RECORD];
	struct buf b = BUF(text);
	struct str field;

	buf_put(&b, str_head(s, 1));
	s = str_skip(s, 1);
	while (str_cut(&s, '\0', &field)) {
		buf_putz(&b, " \"");
		buf_escape(&b, field, CARRIER_RECORD);
		buf_putc(&b, '"');
	}
	printf("%.*s\n", (int)b.n, b.p);
	fflush(stdout);
}

static void put_number(struct buf *b, uint64_t v)
{
	char digits[20];
	struct buf d = BUF(digits);

	buf_u64(&d, v);
	request_field(b, buf_str(&d));
}

static void give(int sock, unsigned i)
{
	char record[CARRIER_RECORD];
	struct buf b = BUF(record);

	request_begin(&b, 'M');
	buf_putz(&b, "message-");
	put_number(&b, i);
	put_number(&b, message[i]->nrcpt);
	if (io_send_record(sock, buf_str(&b), message[i]->fd) < 0)
		die("message");
	for (unsigned r = 0; r < message[i]->nrcpt; r++) {
		request_begin(&b, 'R');
		put_number(&b, message[i]->at[r]);
		if (io_send_record(sock, buf_str(&b), -1) < 0)
			die("recipient");
	}
}

static void pass(int sock)
{
	unsigned given = 0;

	for (;;) {
		char record[CARRIER_RECORD];
		struct buf b = BUF(record);
		int fd;
		ssize_t n = io_recv_record(sock, &b, &fd, 0);

		if (n <= 0)
			return;
		print_record(buf_str(&b));
		if (record[0] != 'A')
			continue;
		if (given < nmessages)
			give(sock, given++);
		else
			shutdown(sock, SHUT_WR);
	}
}

int main(int argc, char **argv)
{
	int sock[2], status;
	pid_t pid;

	destination.hostname = STR("here.example");
	for (int i = 1; i < argc; i++) {
		size_t n = str_find(str_of(argv[i]), '=');
		struct str key = str_at(argv[i], n);
		const char *value = argv[i] + n + 1;

		if (argv[i][n] != '=' ||
		    !(set_destination(key, value) || set_message(key, value))) {
			fprintf(stderr, "carry: %s: what is that?\n", argv[i]);
			return 64;
		}
	}
	log_open("carry", 2);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) != 0)
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(sock[0]);
		carrier_serve(sock[1], &destination);
		_exit(0);
	}
	close(sock[1]);
	pass(sock[0]);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	printf("end %d\n", status);
	return 0;
}
