#!/bin/sh
# coverage.sh UNIT-TEST...: run them (built with --coverage under $B) and print
# the lines each module was covered, worst first.
set -eu
for t; do
	"$t" >/dev/null || echo "coverage.sh: $t failed" >&2
done
find "$B/asan" -name '*.gcda' -path '*/mail/*' -o \
	-name '*.gcda' -path '*/sys/*' | sort | while read -r data; do
	gcov -n -o "$(dirname "$data")" "$data" 2>/dev/null |
		awk -F"'" '/^File/ { f = $2 }
			/^Lines/ && f ~ /^(\.\/)?(mail|sys)\/.*\.c$/ {
				split($0, a, /[:% ]/); print a[3] "%", f; f = "" }'
done | sort -n
