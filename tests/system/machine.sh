# shellcheck shell=bash
# Sourced by the scripts here: machines made of a minimal Debian and the
# build, booted or entered by systemd-nspawn, without a network.
B=${B:-build}
machine=$PWD/$B/system
log=$machine/log
mkdir -p "$machine"

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}
bail() {
	[ ! -s "$log" ] || tail -n 20 "$log" | sed 's/^/# /'
	echo "Bail out! $*"
	exit 1
}
[ "$(id -u)" = 0 ] || skip_all 'only root can boot a machine'
command -v systemd-nspawn >/dev/null || skip_all 'no systemd-nspawn'
command -v debootstrap >/dev/null || skip_all 'no debootstrap'

# A tar of a minimal Debian with these packages, made once: its path in $base.
# A function of the same name as the second argument may add to $new.
base() { # packages, name
	base=$machine/$2-$(echo "$1" | cksum | cut -d' ' -f1).tar
	[ ! -f "$base" ] || return 0
	new=$machine/$2
	rm -rf "$new"
	debootstrap --variant=minbase --include="$1" bookworm "$new" \
		>"$log" 2>&1 || bail 'debootstrap'
	if declare -F "$2" >/dev/null; then
		"$2" >>"$log" 2>&1 || bail "$2"
	fi
	rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists
	tar -C "$new" -cf "$base.new" . || bail "tar"
	mv "$base.new" "$base"
	rm -rf "$new"
}

# $root: the machine with the build installed as a package would put it there,
# users alice and bob, and a directory /out that is $out here.
install_machine() { # script of this directory to put under /root
	root=$machine/root
	out=$machine/out
	rm -rf "$root" "$out"
	mkdir -p "$root" "$out"
	tar -C "$root" -xf "$base" || bail 'tar'
	make -s install DESTDIR="$root" PREFIX=/usr >"$log" 2>&1 ||
		bail 'make install'
	chroot "$root" useradd -m -s /bin/bash alice
	chroot "$root" useradd -m -s /bin/bash bob
	echo postern.example >"$root/etc/hostname"
	install -m 755 "tests/system/$1" "$root/root/$1"
}

# One hierarchy of control groups and bpf(2), so that the directives which
# need them, IPAddressDeny= above all, are in force there.
enter() { # options and command of nspawn
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -k 10 400 \
		systemd-nspawn -q -D "$root" --private-network \
		--register=no --keep-unit --console=pipe \
		--capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf \
		--bind="$out:/out" "$@" </dev/null >"$log" 2>&1
	[ -s "$out/tap" ] || bail 'the machine did not come up'
}

# Number the lines of several machines in one plan.
count=0
show() { # name of the machine
	while IFS= read -r line; do
		case $line in
		'ok - '* | 'not ok - '*)
			count=$((count + 1))
			echo "${line%% - *} $count - $1: ${line#* - }"
			;;
		*) echo "$line" ;;
		esac
	done <"$out/tap"
	grep -q '^# end$' "$out/tap" || {
		count=$((count + 1))
		echo "not ok $count - $1: ran to its end"
		[ ! -f "$out/err" ] || sed 's/^/# /' "$out/err"
		tail -n 20 "$log" | sed 's/^/# /'
	}
	rm -rf "$root"
}
