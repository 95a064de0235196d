#!/usr/bin/perl
# The lock-down: filters against their tables on every machine, then live
# probes, built with glibc and with musl, by root and by an ordinary user.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use POSIX qw(setuid setgid);

my $B = $ENV{B} || 'build';
my $NOBODY = 65534;
my @live = qw(probe-smtpd probe-landlock probe-deliver probe-ids probe-pass
	probe-carrier probe-tls sweep);
my $dir = tempdir('postern-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $count = 0;

chmod 0755, $dir or die "$dir: $!";

sub say_test {
	my ($good, $name) = @_;
	printf "%sok %d - %s\n", $good ? '' : 'not ', ++$count, $name;
}

# Runs a program as a user and passes its tests on under our own numbers.
sub run {
	my ($path, $uid, $title) = @_;
	my ($plan, $seen) = (-1, 0);
	my $pid = open(my $out, '-|') // die "fork: $!";
	if ($pid == 0) {
		if ($uid != $>) {
			$) = "$uid $uid";
			setgid($uid) && setuid($uid) or die "setuid: $!";
		}
		open(STDIN, '<', '/dev/null');
		exec $path or die "$path: $!";
	}
	while (<$out>) {
		if (/^(not )?ok \d+ - (.*)/) {
			$seen++;
			say_test(!$1, "$title: $2");
		} elsif (/^1\.\.(\d+)/) {
			$plan = $1;
		} elsif (/^#/) {
			print;
		}
	}
	close $out;
	say_test($plan == $seen && $seen > 0 && ($? >> 8) <= 1 && !($? & 127),
	    "$title: ran to its end");
}

# The probes, by the rules of the Makefile.
sub build {
	my @goal = @_;
	return system('make', '-s', '--no-print-directory', "B=$B", @goal) == 0;
}

# A copy where an ordinary user can reach it.
sub place {
	my ($from, $to) = @_;
	copy($from, "$dir/$to") or die "$from: $!";
	chmod 0755, "$dir/$to";
}

my @users = ($>);
push @users, $NOBODY if $> == 0;

build('boxes') or die "make boxes failed";
run("$B/tests/sandbox/simulate", $>, 'simulated');

my @libs = (['glibc', $B]);
if (system('command -v musl-gcc >/dev/null 2>&1') == 0) {
	say_test(build(qw(static GOAL=boxes)), 'built with musl');
	push @libs, ['musl', "$B/static"];
} else {
	say_test(1, 'built with musl # SKIP no musl-gcc');
}
for my $lib (@libs) {
	my ($libc, $where) = @$lib;
	for my $name (@live) {
		place("$where/tests/sandbox/$name", "$name-$libc");
		for my $uid (@users) {
			run("$dir/$name-$libc", $uid, "$libc, uid $uid");
		}
	}
}
print "1..$count\n";
