#!/bin/sh
# Gates that look at what was built.
. tests/lint/lib.sh

# mail/ calls nothing but itself and a few pure functions of libc.
pure() {
	own=$(nm --defined-only "$B"/libmail.a 2>/dev/null |
		awk 'NF == 3 { print $3 }')
	ok='memcpy memmove memset memchr memrchr memcmp strlen
		__memcpy_chk __memmove_chk __memset_chk
		__stack_chk_fail _GLOBAL_OFFSET_TABLE_'
	nm -u "$B"/libmail.a 2>/dev/null | awk -v ok="$ok $own" '
		BEGIN { n = split(ok, w); for (i = 1; i <= n; i++) good[w[i]] }
		/:$/ { file = $1 }
		$1 == "U" && !($2 in good) { print file, $2 }'
}

# All programs but queue need libc and nothing else; none has a function that
# starts a shell or loads code.
links() {
	for p in smtpd deliver sendmail postern command; do
		readelf -d "$B/$p" | grep NEEDED | grep -v '\[libc\.so\.6\]'
		nm -Du "$B/$p" | grep -wE 'system|popen|dlopen|execl[pe]?|execvp'
	done
	for p in queue tls; do
		nm -Du "$B/$p" |
			grep -wE 'system|popen|dlopen|exec[lv][pe]*'
	done

	:
}

# Nothing is executed but deliver, tls and queue by smtpd, in processes that
# hear no stranger, the programs beside it by sendmail, and what postern asks
# (sys/asking.c), without a shell or a search for them; and by command what its
# users name, as they.
executes() {
	nm -A -u "$B"/*.o "$B"/libsys.a "$B"/libmail.a 2>/dev/null |
		grep -E ' U (f?exec[a-z]*|posix_spawnp?|v?fork|_Fork)$' |
		grep -vE '(starter|runner|beside|asking)\.o: +U (execv|fork)$' |
		grep -vE 'hireling\.o: +U (execve|fork)$' |
		grep -vE '(pool|mbox|crew|home|foreman|hands|enquiry|tls-look)\.o: +U fork$' |
		grep -vE 'spare\.o: +U _Fork$'
	nm -Du "$B/deliver" "$B/queue" "$B/tls" | grep -E ' (f?exec|posix_spawn)'
	:
}

hardened() {
	for p in smtpd deliver queue sendmail postern tls command; do
		readelf -h "$B/$p" | grep -q 'Type:.*DYN' || echo "$p: no PIE"
		readelf -d "$B/$p" | grep -q BIND_NOW || echo "$p: lazy binding"
		readelf -lW "$B/$p" | grep -q GNU_RELRO || echo "$p: no RELRO"
		readelf -lW "$B/$p" | grep GNU_STACK | grep -q RWE &&
			echo "$p: executable stack"
		readelf -lW "$B/$p" | grep LOAD | grep -q 'RWE' &&
			echo "$p: segment writable and executable"
		nm -Du "$B/$p" | grep -q __stack_chk_fail ||
			echo "$p: no stack protector"
	done
	:
}

# What `make static` makes needs no file besides itself and moves about.
static() {
	make -s B="$B" static || echo 'not built'
	for p in smtpd deliver sendmail postern command; do
		readelf -lW "$B/static/$p" | grep INTERP
		readelf -d "$B/static/$p" | grep NEEDED
		readelf -h "$B/static/$p" | grep -q 'Type:.*DYN' ||
			echo "$p: no PIE"
	done
	:
}

# The same sources give the same bytes, wherever the objects lie.
reproducible() {
	for n in one two; do
		make -s -j"$jobs" B="$B/lint/$n" all || echo "$n: not built"
	done
	for p in smtpd deliver queue sendmail postern tls command; do
		cmp "$B/lint/one/$p" "$B/lint/two/$p"
	done
	rm -rf "$B/lint/two"
	:
}

silent 'mail/ is pure' pure
silent 'the programs link libc only' links
silent 'nothing is executed but what is known' executes
silent 'the programs are hardened' hardened
silent 'the static programs stand alone' static
silent 'the build is reproducible' reproducible
plan
