#!/bin/sh
# Prints the version of this source tree, such as 0.1.0, or with "epoch" the time
# of its last commit in seconds. git archive writes both into the file VERSION; in
# a clone git has them.
set -eu
cd "$(dirname "$0")/.."

# The words are the tag, if there is one, the hash and the time.
# shellcheck disable=SC2046
set -- "${1:-version}" $(cat VERSION)
case ${2:-} in
*Format:*)
	if [ "$1" = epoch ]; then
		git log -1 --format=%ct 2>/dev/null || echo 0
	else
		git describe --tags --always --dirty 2>/dev/null || echo unknown
	fi
	;;
*)
	if [ "$1" = epoch ]; then
		shift $(($# - 1))
		echo "$1"
	else
		echo "$2"
	fi
	;;
esac | sed 's/^v//'
