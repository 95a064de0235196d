#!/bin/sh
# fuzz.sh TARGET: run $B/TARGET (as tests/fuzz/NAME) for FUZZ_SECONDS over its
# seeds and what earlier runs found, $B/corpus/NAME.  Seeds are the files of
# tests/fuzz/corpus/NAME and what tests/fuzz/NAME.seeds writes.  One line of
# TAP; an input that breaks the property is left in $B/crashes.
set -u
B=${B:-build}
name=$(basename "$1")
seeds=tests/fuzz/corpus/$name
found=$B/corpus/$name
mkdir -p "$found" "$B/crashes"
log=$B/crashes/$name.log

echo 1..1
set -- "$B/$1" -max_total_time="${FUZZ_SECONDS:-3}" -timeout=10 -verbosity=1 \
	-rss_limit_mb=1024 -print_final_stats=1 \
	-artifact_prefix="$B/crashes/$name-"
[ -e "tests/fuzz/$name.dict" ] && set -- "$@" -dict="tests/fuzz/$name.dict"
set -- "$@" "$found"
[ -d "$seeds" ] && set -- "$@" "$seeds"
if [ -x "tests/fuzz/$name.seeds" ]; then
	mkdir -p "$B/seeds/$name"
	"tests/fuzz/$name.seeds" "$B/seeds/$name"
	set -- "$@" "$B/seeds/$name"
fi
if "$@" >"$log" 2>&1; then
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	echo "ok 1 - $name holds over $runs inputs"
else
	echo "not ok 1 - $name"
	tail -n 40 "$log" | sed 's/^/# /'
	exit 1
fi
