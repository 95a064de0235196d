# Sourced by the gates: gate NAME COMMAND... is one line of TAP; what the
# command printed follows when it failed, or when it printed and must not.
# shellcheck shell=sh
B=${B:-build}
gates=0
# shellcheck disable=SC2034 # for those who source this
jobs=$(nproc)

result() { # ok|not ok, name, file with the reason
	gates=$((gates + 1))
	echo "$1 $gates - $2"
	[ "$1" = ok ] || sed 's/^/# /' "$3" | tail -n 60
}

# succeeds when the command does
gate() {
	gate_name=$1
	shift
	gate_out=$(mktemp)
	if "$@" >"$gate_out" 2>&1; then
		result ok "$gate_name" /dev/null
	else
		result 'not ok' "$gate_name" "$gate_out"
	fi
	rm -f "$gate_out"
}

# succeeds when the command does and prints nothing
silent() {
	silent_name=$1
	shift
	silent_out=$(mktemp)
	if "$@" >"$silent_out" 2>&1 && [ ! -s "$silent_out" ]; then
		result ok "$silent_name" /dev/null
	else
		result 'not ok' "$silent_name" "$silent_out"
	fi
	rm -f "$silent_out"
}

skip() {
	gates=$((gates + 1))
	echo "ok $gates - $1 # SKIP $2"
}

plan() { echo "1..$gates"; }
