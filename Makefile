# postern: what is built, and what links what.
#
#   make               the programs, into $(B)
#   make run           build, start on port 2525, send a message, show it
#   make check         all tests below five minutes; check-unit, check-e2e and
#                      check-fuzz are its parts, check-system boots a machine
#   make lint          the gates of STYLE.md
#   make bench         beside Postfix, in the same run; bench-growth, bench-outbound,
#                      bench-peers
#   make install       DESTDIR= PREFIX= as usual
#
# Every mail/*.c goes into libmail.a and every sys/*.c into libsys.a; the
# linker takes what a program calls. deps names the Debian packages.

VERSION   = 0.1
B         = build
PREFIX    = /usr/local
MANDIR    = $(PREFIX)/share/man
DOCDIR    = $(PREFIX)/share/doc/postern
UNITDIR   = $(PREFIX)/lib/systemd/system
LIBEXEC   = $(PREFIX)/libexec/postern
INSTALL   = install
CC        = gcc
HOSTCC    = gcc
CLANG     = clang
AR        = ar
CFLAGS   ?= -Os -g

try   = $(shell $(CC) -Werror $1 -c -x c -o /dev/null /dev/null 2>/dev/null && echo '$1')
WARN  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wswitch-enum -Wimplicit-fallthrough \
	-Wnull-dereference
HARD := $(foreach f,-fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -ftrivial-auto-var-init=zero,$(call try,$f))
# Only queue asks the DNS; built without libunbound it says so, and waits.
UNBOUND := $(shell echo 'int main(void) { return !ub_ctx_create(); }' | \
	$(CC) -include unbound.h -x c -o /dev/null - -lunbound 2>/dev/null && \
	echo -lunbound)
# Only queue calls others with TLS, only tls is called; likewise, without tls.
OPENSSL := $(shell echo 'int main(void) { return !SSL_CTX_dane_enable; }' | \
	$(CC) -include openssl/ssl.h -x c -o /dev/null - -lssl -lcrypto \
	2>/dev/null && echo -lssl -lcrypto)
# Only queue gives its log lines fields, where there is a journal.
SYSTEMD := $(shell echo 'int main(void) { return sd_journal_sendv(0, 0); }' | \
	$(CC) -include systemd/sd-journal.h -x c -o /dev/null - -lsystemd \
	2>/dev/null && echo -lsystemd)
QLIBS = $(UNBOUND) $(OPENSSL) $(SYSTEMD)
DEFS  = -std=c11 -D_GNU_SOURCE -I. -I$(B) $(SYSINC) \
	-DPOSTERN_VERSION='"$(VERSION)"' \
	$(UNBOUND:-lunbound=-DHAVE_UNBOUND) $(if $(OPENSSL),-DHAVE_OPENSSL) \
	$(SYSTEMD:-lsystemd=-DHAVE_SYSTEMD)
HOUSE = $(DEFS) $(WARN) $(HARD) -fPIE -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(B)=build \
	-MMD -MP
FORT  = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
SMALL = -fno-asynchronous-unwind-tables -fno-unwind-tables
LINK  = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed
SAN   = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
ASAN  = $(SAN) -fsanitize=address,undefined
FUZZ  = $(SAN) -fsanitize=fuzzer-no-link,address,undefined

MAIL    = $(wildcard mail/*.c)
SYS     = $(wildcard sys/*.c)
UNITS   = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))
TOOLS   = $(patsubst %.c,$(B)/%,$(filter-out tests/tools/conquered%, \
	  $(wildcard tests/tools/*.c)))
BOXES   = $(patsubst %.c,$(B)/%,$(wildcard tests/sandbox/*.c))
FUZZERS = $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*.c))
E2E     = $(wildcard tests/*.t tests/e2e/*.t tests/sandbox/*.t)
PROGS   = $(B)/smtpd $(B)/deliver $(B)/sendmail $(B)/postern $(B)/command
ifndef STATIC	# its libraries are not made for musl
PROGS  += $(B)/queue
ifneq ($(OPENSSL),)
PROGS  += $(B)/tls
endif
endif

all: $(PROGS)

# The programs. Only queue and tls link more than libc.
$(B)/smtpd:   $(B)/smtpd.o   $(B)/libsys.a $(B)/libmail.a
$(B)/deliver: $(B)/deliver.o $(B)/libsys.a $(B)/libmail.a
$(B)/sendmail: $(B)/sendmail.o $(B)/libsys.a $(B)/libmail.a
$(B)/postern: $(B)/postern.o $(B)/libsys.a $(B)/libmail.a
$(B)/command: $(B)/command.o $(B)/libsys.a $(B)/libmail.a
$(B)/queue:   $(B)/queue.o   $(B)/libsys.a $(B)/libmail.a
$(B)/queue: LIBS = $(QLIBS)
$(B)/tls:     $(B)/tls.o     $(B)/libsys.a $(B)/libmail.a
$(B)/tls: LIBS = $(OPENSSL)

link = $(CC) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)
ifdef STATIC	# musl-gcc has no -static-pie of its own: it would link libc.so
WARN += -Wno-sign-conversion # for the CMSG_NXTHDR of musl
link  = $(CC) $(CFLAGS) -fPIE -static -nostartfiles $(LDFLAGS) \
	  -Wl,-pie,--no-dynamic-linker,--gc-sections -Wl,-z,relro,-z,now \
	  -o $@ $(MUSL)/rcrt1.o $(MUSL)/crti.o $^ $(MUSL)/crtn.o
endif
$(PROGS):
	$(link)

$(B)/libmail.a: $(MAIL:%.c=$(B)/%.o)
$(B)/libsys.a:  $(SYS:%.c=$(B)/%.o)
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOUSE) $(CPPFLAGS) $(FORT) $(SMALL) $(CFLAGS) $(FAST) -c -o $@ $<
# what every octet of a message goes through
$(patsubst %,$(B)/mail/%.o,str data content header): FAST = -O2
$(B)/%.a:
	@rm -f $@
	$(AR) rcD $@ $^
	@$(AR) sD $@

# The system call filters, compiled on the build machine by libseccomp.
BPF = $(B)/sandbox-bpf.h
$(BOXES:=.o) $(B)/sys/sandbox.o \
  $(B)/asan/sys/sandbox.o $(B)/fuzz/sys/sandbox.o: $(BPF)
$(BPF): $(B)/policy
	$(B)/policy >$@.new && mv $@.new $@
$(B)/policy: $(wildcard sys/policy/*.c sys/policy/*.h)
	@mkdir -p $(@D)
	$(HOSTCC) $(filter-out $(SYSINC),$(DEFS)) -O1 $(WARN) -o $@ \
	  $(filter %.c,$^) -lseccomp

# Tests: unit tests under sanitizers, fuzz targets by clang, tools as they are.
$(B)/asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOUSE) $(ASAN) -c -o $@ $<
$(B)/asan/libmail.a: $(MAIL:%.c=$(B)/asan/%.o)
$(B)/asan/libsys.a:  $(SYS:%.c=$(B)/asan/%.o)
$(UNITS): $(B)/%: $(B)/asan/%.o $(B)/asan/libsys.a $(B)/asan/libmail.a
	@mkdir -p $(@D)
	$(CC) $(ASAN) -Wl,--gc-sections -o $@ $^ $(LIBS)
$(B)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(DEFS) $(WARN) $(FUZZ) -MMD -MP -c -o $@ $<
$(B)/fuzz/libmail.a: $(MAIL:%.c=$(B)/fuzz/%.o)
$(B)/fuzz/libsys.a:  $(SYS:%.c=$(B)/fuzz/%.o)
$(FUZZERS): $(B)/%: $(B)/fuzz/%.o $(B)/fuzz/libsys.a $(B)/fuzz/libmail.a
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ) -fsanitize=fuzzer -Wl,--gc-sections -o $@ $^
$(B)/tests/tools/dnsq: LIBS = $(UNBOUND)
$(B)/tests/tools/carry: LIBS = $(UNBOUND) $(OPENSSL)
$(B)/tests/unit/sasl: LIBS = $(OPENSSL)
$(TOOLS) $(BOXES): $(B)/%: $(B)/%.o $(B)/libsys.a $(B)/libmail.a
	$(link)
# Programs whose parser was taken over, for the tests of their walls.
CONQUERED = $(B)/tests/tools/conquered
ifndef STATIC
CONQUERED += $(B)/tests/tools/conquered-carrier
endif
conquered: $(CONQUERED)
$(B)/tests/tools/conquered: override LDFLAGS += -Wl,--wrap=session_input
$(B)/tests/tools/conquered: $(B)/smtpd.o $(B)/tests/tools/conquered.o \
  $(B)/libsys.a $(B)/libmail.a
	$(link)
$(B)/tests/tools/conquered-carrier: LIBS = $(QLIBS)
$(B)/tests/tools/conquered-carrier: override LDFLAGS += -Wl,--wrap=reply_feed
$(B)/tests/tools/conquered-carrier: $(B)/queue.o \
  $(B)/tests/tools/conquered-carrier.o $(B)/libsys.a $(B)/libmail.a
	$(link)

TEST = B=$(B) scripts/tap
test-programs: all boxes conquered $(UNITS) $(TOOLS) $(FUZZERS)
	@$(MAKE) --no-print-directory static GOAL='all boxes conquered'
boxes: $(BOXES)
check:
	@scripts/deps.sh build check
	@$(MAKE) -s --no-print-directory test-programs
	@$(TEST) $(UNITS) $(FUZZERS:$(B)/%=scripts/fuzz.sh:%) $(E2E)
check-unit: $(UNITS) boxes
	@$(TEST) $(UNITS) $(BOXES)
check-e2e: all boxes conquered $(TOOLS)
	@$(TEST) $(E2E)
check-fuzz: $(FUZZERS)
	@$(TEST) $(FUZZERS:$(B)/%=scripts/fuzz.sh:%)
check-system: all
	@scripts/deps.sh build system
	@JOBS=1 $(TEST) $(wildcard tests/system/*.t)
check-long: test-programs
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-3600} $(TEST) \
	  $(FUZZERS:$(B)/%=scripts/fuzz.sh:%)
	@JOBS=1 $(TEST) $(wildcard tests/long/*.t) # each wants the machine
lint:
	@scripts/deps.sh build lint
	@$(MAKE) -s --no-print-directory all
	@$(TEST) $(wildcard tests/lint/*.t)
bench bench-growth bench-outbound bench-peers:
	@scripts/deps.sh build bench $(filter peers,$(@:bench-%=%))
	@$(MAKE) -s --no-print-directory all static
	@B=$(B) tests/bench/run $(@:bench-%=%)
coverage:
	@scripts/deps.sh build
	@$(MAKE) -s --no-print-directory B=$(B)/cov CFLAGS='-O0 -g --coverage' \
	  FORT= ASAN='-O0 -g --coverage' $(UNITS:$(B)/%=$(B)/cov/%)
	@B=$(B)/cov scripts/coverage.sh $(UNITS:$(B)/%=$(B)/cov/%)

run:
	@scripts/deps.sh build run
	@$(MAKE) -s --no-print-directory all
	@B=$(B) scripts/run.sh
deps:
	@scripts/deps.sh build check lint system bench peers

# smtpd, deliver and sendmail against musl, which comes without the kernel's headers.
MULTI = $(shell $(HOSTCC) -print-multiarch)
MUSL  = /usr/lib/$(subst gnu,musl,$(MULTI))
GOAL  = all
static:
	@mkdir -p $(B)/static/kernel
	@ln -sfn /usr/include/linux $(B)/static/kernel/linux
	@ln -sfn /usr/include/asm-generic $(B)/static/kernel/asm-generic
	@ln -sfn /usr/include/$(MULTI)/asm $(B)/static/kernel/asm
	@$(MAKE) --no-print-directory B=$(B)/static CC=musl-gcc STATIC=1 \
	  SYSINC='-isystem $(B)/static/kernel' $(GOAL)

D = $(DESTDIR)
install: all
	$(INSTALL) -d $D$(LIBEXEC) $D$(UNITDIR)-preset $D$(UNITDIR) \
	  $D$(PREFIX)/lib/sysusers.d $D$(PREFIX)/lib/tmpfiles.d $D$(DOCDIR)
	$(INSTALL) -m 755 $(filter-out %/sendmail %/postern,$(PROGS)) $D$(LIBEXEC)
	$(INSTALL) -d $D$(PREFIX)/sbin $D$(PREFIX)/bin $D$(PREFIX)/lib
	$(INSTALL) -m 755 $(B)/postern $D$(PREFIX)/bin
	$(INSTALL) -m 755 $(B)/sendmail $D$(PREFIX)/sbin
	ln -sfn ../sbin/sendmail $D$(PREFIX)/lib/sendmail
	ln -sfn ../sbin/sendmail $D$(PREFIX)/bin/mailq
	ln -sfn ../sbin/sendmail $D$(PREFIX)/bin/newaliases
	$(INSTALL) -m 644 units/*.socket units/*.service units/*.timer \
	  $D$(UNITDIR)
	sed -i 's|/usr/libexec/postern|$(LIBEXEC)|' $D$(UNITDIR)/postern-*.service
	$(if $(OPENSSL),,rm -f $D$(UNITDIR)/postern-tls.*)
	$(INSTALL) -m 644 units/90-postern.preset $D$(UNITDIR)-preset
	$(INSTALL) -m 644 units/sysusers.d/postern.conf $D$(PREFIX)/lib/sysusers.d
	$(INSTALL) -m 644 units/tmpfiles.d/postern.conf $D$(PREFIX)/lib/tmpfiles.d
	cp -R units/examples $D$(DOCDIR)
	sed -i 's|/usr/libexec/postern|$(LIBEXEC)|' $D$(DOCDIR)/examples/*
	for m in $(wildcard man/*.[1-8]); do \
	  $(INSTALL) -D -m 644 $$m $D$(MANDIR)/man$${m##*.}/$${m##*/}; done
uninstall:
	rm -rf $D$(LIBEXEC) $D$(DOCDIR)
	rm -f $D$(PREFIX)/sbin/sendmail $D$(PREFIX)/lib/sendmail \
	  $D$(PREFIX)/bin/mailq $D$(PREFIX)/bin/newaliases
	rm -f $D$(PREFIX)/bin/postern $D$(UNITDIR)/postern-* $D$(UNITDIR)-preset/90-postern.preset \
	  $D$(PREFIX)/lib/sysusers.d/postern.conf \
	  $D$(PREFIX)/lib/tmpfiles.d/postern.conf
	for m in $(wildcard man/*.[1-8]); do \
	  rm -f $D$(MANDIR)/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf $(B)

.PHONY: all boxes conquered test-programs check check-unit check-e2e \
	check-fuzz check-system check-long lint bench bench-growth bench-outbound bench-peers \
	coverage run deps static install uninstall clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell [ ! -d $(B) ] || find $(B) \
	\( -path $(B)/deps -o -path $(B)/system \) -prune -o \
	-name '*.d' -type f -print)
