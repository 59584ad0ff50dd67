#!/bin/sh
# After the files are there, of a .deb ("configure") and of an .rpm (1, or 2 at an
# upgrade): makes the user and the state directory. Nothing is started that was
# not running: which of the units is wanted is the administrator's choice.
set -e

case ${1:-} in
configure | 1 | 2) ;;
*) exit 0 ;;
esac
state=/var/spool/vext
if ! id vext >/dev/null 2>&1; then
	useradd --system --user-group --home-dir "$state" --no-create-home --shell /usr/sbin/nologin --comment 'vext' vext
fi
if [ ! -e "$state" ]; then
	install -d -m 0750 -o vext -g vext "$state"
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart vext.service
fi
