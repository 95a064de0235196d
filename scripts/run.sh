#!/bin/sh
# make run: a postern of its own under $B/run on port 2525, without touching
# the machine: starts it, sends a message, shows where it landed, and stays in
# the foreground until Ctrl-C.
set -eu
umask 022
B=${B:-build}
port=${PORT:-2525}
bin=$(cd "$B" && pwd -P)
say() { echo "run: $*"; }

# Whose mailbox it is.  postern never delivers as root, so root gives it to
# the user behind sudo, or to nobody.
uid=$(id -u)
owner=$uid
[ "$uid" != 0 ] || owner=${SUDO_UID:-0}
[ "$owner" != 0 ] || owner=$(id -u nobody)
group=$(id -g "$(id -un "$owner")")
name=$(id -un "$owner")

# deliver trusts a path when each directory on it belongs to root or to the
# mailbox's owner, and others may neither write there (a sticky directory of
# root's excepted) nor are locked out of it.
trusted() {
	dir=$1
	while :; do
		mode=$(stat -c %a "$dir") of=$(stat -c %u "$dir")
		[ "$of" = 0 ] || [ "$of" = "$owner" ] || return 1
		[ $((0$mode & 022)) = 0 ] ||
			{ [ $((0$mode & 01000)) != 0 ] && [ "$of" = 0 ]; } ||
			return 1
		[ "$uid" != 0 ] || [ $((0$mode & 1)) = 1 ] || return 1
		[ "$dir" != / ] || return 0
		dir=$(dirname "$dir")
	done
}
run=$bin/run
[ ! -L "$run" ] || rm -rf "$(readlink "$run")"
rm -rf "$run"
if ! trusted "$bin"; then
	run=$(mktemp -d /tmp/postern-run.XXXXXX)
	chmod 755 "$run"
	ln -sfn "$run" "$bin/run"
	say "others can enter or write above $bin: using $run instead"
fi
mkdir -p "$run/spool" "$run/root" "$run/state"
install -d -m 3770 "$run/spool/queue"
install -d -m 700 "$run/mailbox"
if [ "$uid" = 0 ]; then
	chown "$owner:$group" "$run/mailbox"
	chgrp _postern "$run/spool/queue"
	chmod 3770 "$run/spool/queue"
	chown _postern-deliver: "$run/root" "$run/state"
fi
chmod 700 "$run/root" "$run/state"

cat >"$run/postern.conf" <<EOT
hostname        localhost.localdomain
local-domains   localhost localhost.localdomain
origin          localhost
users           file:$run/users
aliases         $run/aliases
root-mailbox    $run/root
srs-secret      $run/state/srs-secret
spool           $run/spool
run-directory   $run
EOT
echo "$name $run/mailbox" >"$run/users"
echo "postmaster: $name" >"$run/aliases"

"$bin/smtpd" -C "$run/postern.conf" -l "127.0.0.1:$port" \
	-l "unix:$run/smtp" &
smtpd=$!
trap 'kill "$smtpd" 2>/dev/null || :; wait "$smtpd" || :' EXIT
trap 'exit 0' INT TERM

# As any program here does it.
send() {
	POSTERN_CONF=$run/postern.conf "$bin/sendmail" -i "$name@localhost" \
		<<-EOT
			To: $name@localhost
			Subject: hello

			This came in by sendmail(8).
		EOT
}
tries=50
until [ -S "$run/smtp" ] || [ "$tries" = 0 ]; do
	kill -0 "$smtpd" || exit 1
	tries=$((tries - 1))
	sleep 0.1
done
send
set -- "$run"/mailbox/new/*
[ -f "$1" ] || { say "nothing arrived in $run/mailbox"; exit 1; }
say "delivered: $1"
sed 's/^/    /' "$1"
say "listening on 127.0.0.1:$port and unix:$run/smtp, mailbox of"
say "$name@localhost in $run/mailbox; Ctrl-C ends it"
wait "$smtpd"
