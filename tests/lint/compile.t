#!/bin/sh
# Both compilers, both C libraries, and gcc's analyzer: no warning is left.
. tests/lint/lib.sh

build() { # directory, goal, variables of make
	dir=$1 goal=$2
	shift 2
	make -s -j"$jobs" -k -f tests/lint/gates.mk B="$B/lint/$dir" "$@" "$goal"
}
musl() {
	make -s -j"$jobs" -k B="$B/lint/musl" CFLAGS='-O2 -g -Werror' static
}

gate 'gcc, warnings as errors' build gcc objects CFLAGS='-O2 -g -Werror'
gate 'clang, warnings as errors' build clang objects CC=clang \
	CFLAGS='-O2 -g -Werror'
gate 'musl, static, warnings as errors' musl
gate 'gcc -fanalyzer' build analyzer product \
	CFLAGS='-O2 -g -Werror -fanalyzer'
plan
