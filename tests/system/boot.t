#!/bin/bash
# A machine booted with the installed units.  What is looked at stands in
# `inside`, which runs there and writes TAP.  Twice: as it should be, and under
# a container manager that refuses Landlock.
set -u
. tests/system/machine.sh

base systemd,systemd-sysv,dbus,libnss-systemd,curl,procps,libssl3,libunbound8 \
	booted
boot() { # what `inside` is to do, options of nspawn
	install_machine inside
	# she writes as somebody of another domain
	mkdir -p "$root/etc/postern"
	echo 'trusted-users system alice' >"$root/etc/postern/postern.conf"
	systemctl --root="$root" preset postern-local.socket \
		postern-smtpd.socket postern-deliver.socket \
		postern-queue.socket postern-queue.timer \
		postern-smtpd-accept.socket postern-command.socket >>"$log" 2>&1 || bail 'preset'
	cat >"$root/etc/systemd/system/inside.service" <<-EOT
		[Unit]
		After=multi-user.target
		[Service]
		Type=oneshot
		ExecStart=/root/inside $1
		StandardOutput=append:/out/tap
		StandardError=append:/out/err
		ExecStopPost=/bin/systemctl --no-block poweroff
	EOT
	ln -s ../inside.service \
		"$root/etc/systemd/system/multi-user.target.wants/"
	shift
	enter --boot "$@"
}

landlock='landlock_create_ruleset landlock_add_rule landlock_restrict_self'
boot full --system-call-filter="$landlock"
show machine
boot short
show 'without Landlock'
echo "1..$count"
