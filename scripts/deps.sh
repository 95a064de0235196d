#!/bin/sh
# deps.sh GROUP...: install the Debian packages these groups need, the missing
# ones only.  When nothing is missing it neither writes nor needs a right;
# otherwise it is root, or asks sudo.
#
# Packages that would start a daemon or replace the machine's own mail system
# are not installed but unpacked under build/deps/PACKAGE.
#
# For root, whose smtpd and deliver drop to users of their own, it also makes
# these users when they are missing (groups run and check).
set -eu

install='' unpack='' users=''
for group; do
	case $group in
	build)	install="$install gcc make libc6-dev libseccomp-dev
			libunbound-dev libssl-dev libsystemd-dev"
		;;
	run)
		users='_postern _postern-deliver _postern-queue _postern-tls'
		;;
	check)
		users='_postern _postern-deliver _postern-queue _postern-tls'
		install="$install clang libclang-rt-14-dev llvm musl-tools
			linux-libc-dev perl python3 curl swaks msmtp s-nail
			mutt strace busybox systemd socat netcat-openbsd
			procps iproute2 binutils
			mount e2fsprogs xfsprogs btrfs-progs
			python3-public python3-zope.interface
			python3-pkg-resources
			dovecot-imapd dovecot-pop3d dovecot-lmtpd
			dovecot-submissiond openssl procmail maildrop
			libevent-2.1-7 libtirpc3 libwrap0 libbsd0 netbase
			libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3
			python3-dkim gnupg
			ldnsutils libfstrm0 libprotobuf-c1 dns-root-data
			libnghttp2-14 libpython3.11
			git-email php8.2-cli libmailutils9 liblockfile1
			libcap-ng0 python3-apt python3-distro-info logtail
			lockfile-progs libselinux1 libaudit1
			libmime-types-perl libproc-waitstat-perl
			libmailtools-perl
			libnet-ssleay-perl testssl.sh bsdextrautils dnsutils"
		unpack="$unpack openbsd-inetd xinetd spamassassin postfix nsd
			unbound libpython3.11-testsuite python3-flufl.bounce
			cron systemd-cron anacron at bsd-mailx mailutils mdadm
			smartmontools logwatch unattended-upgrades sudo
			logcheck mime-construct"
		;;
	lint)
		install="$install clang clang-tidy clang-format cppcheck
			shellcheck mandoc systemd binutils perl musl-tools
			linux-libc-dev"
		;;
	system)	install="$install debootstrap systemd-container perl curl" ;;
	bench)
		install="$install perl python3 iproute2 e2fsprogs mount
			libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3"
		unpack="$unpack postfix dma"
		;;
	peers)
		install="$install libevent-2.1-7 libtirpc3 libbsd0 libgnutls30
			libgnutls-dane0 libpcre2-8-0"
		unpack="$unpack opensmtpd exim4-daemon-light exim4-base dma"
		;;
	*)	echo "deps.sh: unknown group $group" >&2; exit 64 ;;
	esac
done

missing=''
for p in $install; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in
	installed) ;;
	*) missing="$missing $p" ;;
	esac
done
absent=''
for p in $unpack; do
	[ -e "build/deps/$p/usr" ] || absent="$absent $p"
done

root=''
[ "$(id -u)" = 0 ] || root=sudo
say() { echo "deps.sh: $*" >&2; }

[ "$root" ] || for u in $users; do
	id "$u" >/dev/null 2>&1 && continue
	say "adding the system user $u"
	useradd --system --user-group --no-create-home --home-dir / \
		--shell /usr/sbin/nologin "$u"
done
[ "$missing$absent" ] || exit 0

if [ "$missing" ]; then
	say "installing$missing"
	# a policy of our own for the time of the installation, so that no
	# package starts a daemon; an existing policy of the machine stays
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap '$root rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
		$root chmod 755 $policy
	fi
	$root apt-get -qq update
	# shellcheck disable=SC2086 # lists of words
	$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o Dpkg::Use-Pty=0 --no-install-recommends install \
		$missing >/dev/null
fi
for p in $absent; do
	say "unpacking $p under build/deps"
	rm -rf "build/deps/$p.new"
	mkdir -p "build/deps/$p.new"
	(cd build/deps && apt-get -qq download "$p" 2>/dev/null) ||
		{ $root apt-get -qq update && (cd build/deps &&
			apt-get -qq download "$p"); }
	dpkg -x build/deps/"$p"_*.deb "build/deps/$p.new"
	case $p in # tests do with less, and a copy is in nobody's care
	sudo | at) chmod -R u-s,g-s "build/deps/$p.new" ;;
	esac
	rm -f build/deps/"$p"_*.deb
	mv "build/deps/$p.new" "build/deps/$p"
done
