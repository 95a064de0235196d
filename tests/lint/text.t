#!/bin/sh
# Gates that read the sources as text.
. tests/lint/lib.sh

sources() { git ls-files -- "$@"; }
c_files() { sources '*.c' '*.h'; }
scripts() {
	sources | while read -r f; do
		case $f in
		*.c | *.h | *.md) continue ;;
		esac
		[ -f "$f" ] || continue
		case $(head -c 40 "$f" | head -n 1 | tr -d '\000') in
		'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*)
			echo "$f"
			;;
		esac
	done
}

format() { c_files | xargs clang-format --dry-run -Werror; }
shells() { scripts | xargs shellcheck -x tests/lint/lib.sh; }
manuals() { mandoc -T lint -W warning man/*.[1-8]; }

# Functions that are not used, wherever they stand outside comments.  The
# tests keep to it as well.
banned() {
	words='strcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok|strtok_r'
	words="$words|atoi|atol|atoll|sscanf|gets|alloca|system|popen"
	c_files | while read -r f; do
		gcc -fpreprocessed -dD -E -P "$f" 2>/dev/null |
			grep -nE "(^|[^A-Za-z0-9_>.])($words)[[:space:]]*\(" |
			sed "s|^|$f: |"
	done
	:
}

# A third party's header is included only where it belongs.
confined() {
	while read -r header home; do
		sources '*.c' '*.h' |
			xargs grep -nE "#[[:space:]]*include[[:space:]]*<$header" |
			grep -vE "^($home):"
	done <<-EOT
		openssl/ sys/tls-(client|server|certs|look)\.c
		unbound\.h sys/unbound\.c
		systemd/ queue\.c|sys/journal\.c
		seccomp\.h sys/policy/[a-z-]*\.[ch]
		linux/landlock\.h sys/[a-z-]*\.[ch]
	EOT
	:
}

# mail/str < mail/ < sys/ < programs; mail/ knows no header of the system.
layers() {
	pure='errno|limits|stdbool|stddef|stdint|string|assert|inttypes'
	sources 'mail/*' | xargs grep -nE '^#[[:space:]]*include[[:space:]]*<' |
		grep -vE "<($pure)\.h>"
	sources 'mail/str.*' | xargs grep -nE '^#[[:space:]]*include[[:space:]]*"' |
		grep -v '"mail/str\.h"'
	sources 'mail/*' | xargs grep -nE '^#[[:space:]]*include[[:space:]]*"' |
		grep -v '"mail/'
	sources 'sys/*' | xargs grep -nE '^#[[:space:]]*include[[:space:]]*"' |
		grep -vE '"(mail|sys)/|policy/.*"policy\.h"|"sandbox-bpf\.h"'
	:
}

silent 'clang-format' format
gate 'shellcheck' shells
if [ -d man ]; then
	silent 'mandoc' manuals
else
	skip 'mandoc' 'there are no manual pages'
fi
silent 'banned words' banned
silent 'third-party headers are confined' confined
silent 'layers' layers
# shellcheck disable=SC2046 # names without spaces
silent 'sizes of files and functions' tests/lint/sizes $(c_files)
plan
