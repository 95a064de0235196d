#!/bin/bash
# The examples for machines without systemd, each as it is shipped, on a
# machine set up by the commands of their README: see `supervised`.
set -u
. tests/system/machine.sh

supervisors() { # into the machine $new; xinetd conflicts with openbsd-inetd
	(cd "$new" && apt-get -qq download xinetd && dpkg -x xinetd_*.deb . &&
		rm -f xinetd_*.deb)
}
base "busybox,ipsvd,s6,runit,openrc,openbsd-inetd,libselinux1,libtirpc3,libwrap0,\
netbase,curl,procps" supervisors
install_machine supervised
enter --as-pid2 /root/supervised
show 'without systemd'
echo "1..$count"
