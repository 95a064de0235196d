#!/bin/sh
# fuzz-keep.sh NAME...: of what runs of a fuzz target found ($B/corpus/NAME)
# keep in tests/fuzz/corpus/NAME the few inputs that reach code which no seed
# reaches.  For commits after hours of fuzzing.
set -eu
B=${B:-build}
for name; do
	keep=tests/fuzz/corpus/$name
	tmp=$(mktemp -d)
	mkdir -p "$keep" "$tmp/all"
	cp -R "$keep/." "$tmp/all"
	[ ! -x "tests/fuzz/$name.seeds" ] || "tests/fuzz/$name.seeds" "$tmp/all"
	cp -R "$tmp/all" "$tmp/seeds"
	"$B/tests/fuzz/$name" -set_cover_merge=1 -use_counters=0 "$tmp/all" \
		"$B/corpus/$name" 2>"$tmp/log"
	for new in "$tmp/all"/*; do
		digest=$(basename "$new")
		[ -e "$tmp/seeds/$digest" ] ||
			cp "$new" "$keep/$(echo "$digest" | cut -c1-12)"
	done
	echo "$name: $(grep -o '[0-9]* new files.*' "$tmp/log" | tail -n 1)"
	rm -rf "$tmp"
	rmdir "$keep" 2>/dev/null || :
done
