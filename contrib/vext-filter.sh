#!/bin/sh
# Runs vext-filter.bin, which is in the same directory, on systems for which the
# program has no entry point of its own. Go's runtime exits with status 2 when it
# can't start, and a mail system then bounces the mail. This script turns every
# status that is not one of the filter's into 75, also when the shell can't fork.
# Before it exits with 75 it reads the rest of the mail.
trap 'while read -r _; do :; done; exit 75' 0
"${0%/*}/vext-filter.bin" "$@"
status=$?
case $status in
0 | 1 | 65 | 75)
	trap - 0
	exit "$status"
	;;
esac
