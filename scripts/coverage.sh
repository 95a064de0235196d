#!/bin/sh
# coverage.sh UNIT-TEST...: run them (built with --coverage under $B), print the
# lines each module was covered, worst first, and the sum for mail/.  Fails
# when a test does, or when mail/ or a file of it has less than 95 percent.
set -eu
least=95
status=0

find "$B" -name '*.gcda' -exec rm -f {} +
for t; do
	"$t" >"$B/coverage.log" || {
		echo "coverage.sh: $t failed" >&2
		grep '^not ok' "$B/coverage.log" >&2 || :
		status=1
	}
done

# percent, lines and name of each source; one that no test links has 0
for notes in "$B"/asan/mail/*.gcno "$B"/asan/sys/*.gcno; do
	gcov -n -o "$(dirname "$notes")" "$notes" 2>/dev/null |
		awk -F"'" '/^File/ { f = $2; sub(/^\.\//, "", f) }
			/^Lines/ && f ~ /^(mail|sys)\/.*\.c$/ {
				split($0, a, /[:% ]+/); print a[3], a[5], f; f = "" }'
done | sort -n | awk -v least=$least '
	$1 > 0 || /mail\// { printf "%6.2f%% of %4d lines  %s\n", $1, $2, $3 }
	/mail\// {
		all += $2; hit += $1 * $2 / 100
		if ($1 < least) { low = low " " $3 }
	}
	END {
		total = all ? 100 * hit / all : 0
		printf "mail/: %.2f%% of %d lines\n", total, all
		if (low) print "less than " least "%:" low
		exit(low || total < least)
	}' || status=1
exit $status
