#!/bin/sh
# The units as they are installed, and that nothing installed is set-id.
. tests/lint/lib.sh

root=$PWD/$B/lint/root
rm -rf "$root"
gate 'make install' make -s install PREFIX="$root"
units=$root/lib/systemd/system

verify() { systemd-analyze verify --man=no "$units"/postern-*.*; }
exposure() { # unit, ten times the score that is still good
	systemd-analyze security --offline=true --threshold="$2" "$units/$1"
}
setid() { find "$root" -perm /6000; }
# PrivateUsers= would hide who submits; LimitNPROC= counts a user's processes
traps() {
	grep -nE '^(PrivateUsers=(yes|true|1|on)|LimitNPROC=|DynamicUser=)' \
		"$units"/*.service
	for u in "$units"/*.socket; do
		grep -q '^TriggerLimitIntervalSec=0$' "$u" || echo "$u: can fail"
	done
	grep -q '^KillMode=process$' "$units/postern-tls.service" ||
		echo 'postern-tls.service: kills connections'
	for u in smtpd deliver queue command; do
		u=$units/postern-$u.service
		grep -q '^StartLimitIntervalSec=0$' "$u" || echo "$u: can fail"
		grep -q '^KillMode=mixed$' "$u" || echo "$u: kills sessions"
	done
	:
}
uninstall() {
	make -s uninstall PREFIX="$root" && find "$root" ! -type d
}

silent 'systemd-analyze verify' verify
gate 'exposure of smtpd is at most 1.0' exposure postern-smtpd.service 10
gate 'exposure of deliver is at most 2.0' exposure postern-deliver.service 20
gate 'exposure of tls is at most 1.0' exposure postern-tls.service 10
gate 'exposure of command is at most 3.5' exposure postern-command.service 35
gate 'exposure of queue is at most 2.0' exposure postern-queue.service 20
silent 'directives that must and must not be there' traps
silent 'nothing is set-uid or set-gid' setid
silent 'make uninstall leaves no file' uninstall
plan
