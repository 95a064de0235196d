# The compilers' share of `make lint`, one object or stamp per source file, so
# that a second run looks only at what has changed.  Used by compile.t:
#
#	make -f tests/lint/gates.mk B=build/lint/NAME CC=... objects
include Makefile

TESTC  = $(wildcard tests/unit/*.c tests/tools/*.c tests/sandbox/*.c)
PRODC  = $(wildcard *.c) $(MAIL) $(SYS)
POLICY = $(wildcard sys/policy/*.c)
FUZZC  = $(wildcard tests/fuzz/*.c)
HEADS  = $(wildcard mail/*.h sys/*.h sys/policy/*.h tests/*/*.h)

product: $(PRODC:%.c=$(B)/%.o)
objects: product $(TESTC:%.c=$(B)/%.o) $(POLICY:%.c=$(B)/%.o) \
	$(FUZZC:%.c=$(B)/%.o)

TIDY = $(patsubst %.c,$(B)/%.tidy,$(PRODC) $(POLICY))
tidy: $(TIDY)
$(TIDY): $(B)/%.tidy: %.c $(HEADS) .clang-tidy $(BPF)
	@mkdir -p $(@D)
	clang-tidy --quiet --warnings-as-errors='*' $< -- $(DEFS) 2>/dev/null
	@touch $@

CPPC = $(patsubst %.c,$(B)/%.cppc,$(PRODC) $(POLICY))
cppcheck: $(CPPC)
$(CPPC): $(B)/%.cppc: %.c $(HEADS) $(BPF) tests/lint/cppcheck.suppress
	@mkdir -p $(@D)
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	  --enable=warning,portability,performance -I. -I$(B) -D_GNU_SOURCE \
	  --suppressions-list=tests/lint/cppcheck.suppress $<
	@touch $@

.PHONY: product objects tidy cppcheck
