#!/bin/sh
# clang-tidy (.clang-tidy says which checks, and why some are off), cppcheck.
. tests/lint/lib.sh

check() {
	make -s -j"$jobs" -k -f tests/lint/gates.mk B="$B/lint/check" "$1"
}

gate 'clang-tidy' check tidy
gate 'cppcheck' check cppcheck
plan
