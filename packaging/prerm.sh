#!/bin/sh
# Before the files go, of a .deb ("remove") and of an .rpm (0): ends what runs.
set -e

case ${1:-} in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now vext.service vext-run.timer
fi
