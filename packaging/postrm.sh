#!/bin/sh
# After the files are gone. At the purge of a .deb, what the package has made goes
# as well, but neither a configuration that somebody wrote nor a state directory in
# which there is anything: that stays, with its owner.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
[ "${1:-}" = purge ] || exit 0

state=/var/spool/vext
if [ -d /etc/vext ] && ! rmdir /etc/vext 2>/dev/null; then
	echo 'vext: /etc/vext is kept: it is not empty' >&2
fi
if [ -d "$state" ]; then
	# The identity, the locks, and what is computed from the history are no content.
	if [ -L "$state" ] || [ -n "$(find "$state" -type f ! -path "$state/id" ! -path "$state/lock" ! -path "$state/serving" ! -path "$state/history.tally" 2>/dev/null | head -n 1)" ]; then
		echo "vext: $state is kept, with the user vext: it contains reminders or the history of them" >&2
		exit 0
	fi
	rm -rf "$state"
fi
if id vext >/dev/null 2>&1; then
	userdel vext || echo 'vext: the user vext is kept' >&2
fi
