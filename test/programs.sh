#!/bin/sh
# Installs the programs that the tests run against, where that can be done
# without asking: as root, with apt-get. Elsewhere the tests that miss one say
# so and are skipped.
set -eu

missing=''
need() { # program package...
	program=$1
	shift
	command -v "$program" >/dev/null 2>&1 || missing="$missing $*"
}

PATH="$PATH:/usr/sbin:/sbin"
need git git
need sshd openssh-server
need ps procps
need ip iproute2
need dbus-daemon dbus
need git-annex git-annex
need gcc gcc libc6-dev # for go test -race
need procmail procmail
need postfix postfix
need strace strace
need mandoc mandoc
need hg mercurial
need svn subversion
need svnnotify libsvn-notify-perl
perl -MHTML::Entities -e 1 2>/dev/null || missing="$missing libhtml-parser-perl" # only recommended by it
need curl curl
need openssl openssl
need irkerhook irker
need ngircd ngircd
need inspircd inspircd
need prosody prosody lua-sec # only recommended by it
need vim vim
need emacs emacs-nox
need soffice libreoffice-writer-nogui
need unshare util-linux # with nsenter and setpriv

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "test: not installed:$missing; the tests that need them are skipped" >&2
	exit 0
fi
echo "test: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # the tests start the servers themselves
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq || true
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
