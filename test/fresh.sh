#!/bin/sh
# Makes a new root of Debian's with debootstrap, clones the project into it,
# installs, uses and purges its package there, and runs the README's two commands:
# what is missing in test/programs.sh is missing there, too. Go's toolchain and the
# module cache are copied in; all else comes from Debian. It needs root, a mirror
# (DEBIAN_MIRROR) and some 4 GB below TMPDIR (else /var/tmp), which it gives back.
# An argument is run instead of the two commands: "sh test/fresh.sh true" tests the
# package alone.
#
# Exit status: that of the commands; 3 when no root could be made.
set -eu

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
suite=${DEBIAN_SUITE:-bookworm}
go=${GO:-go}
top=$(cd "$(dirname "$0")/.." && pwd)

unable() {
	echo "test-fresh: no fresh root: $*" >&2
	exit 3
}

[ "$(id -u)" -eq 0 ] || unable 'this needs root'
if ! command -v debootstrap >/dev/null 2>&1; then
	command -v apt-get >/dev/null 2>&1 || unable 'debootstrap is not installed'
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; } ||
		unable 'debootstrap could not be installed'
fi
unshare --mount --pid --fork true || unable 'unshare(1) may not make namespaces here'

root=$(mktemp -d "${TMPDIR:-/var/tmp}/vext-fresh.XXXXXX")
chmod 755 "$root" # other users must be able to enter it
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM

echo "test-fresh: $suite from $mirror in $root"
# What the README asks for before its commands: Go, of which more below, git and make.
debootstrap --variant=minbase --include=ca-certificates,git,make "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
	{ tail -n 20 "$root.log" >&2; rm -f "$root.log"; unable 'debootstrap failed'; }
rm -f "$root.log"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
apt-config dump 2>/dev/null | grep -i '^Acquire::https\?::Proxy' >"$root/etc/apt/apt.conf.d/00proxy" || true

packages='make packages PACKAGES=$(dpkg --print-architecture); sh test/package.sh dist/*.deb dist/*.rpm'
(cd "$top" && $go mod download)
(cd "$top/tools" && $go mod download) ||
	packages='echo "test-fresh: the packages are not tested: the modules of nfpm cannot be downloaded" >&2'
goroot=$($go env GOROOT)
modules=$($go env GOMODCACHE)
mkdir -p "$root/usr/local" "$root/root/go/pkg"
cp -R "$goroot" "$root/usr/local/go"
cp -R "$modules" "$root/root/go/pkg/mod"
git clone -q "$top" "$root/root/vext"

# A mount namespace, so that nothing stays mounted, and one of processes, so that
# none that a test left behind outlives it.
unshare --mount --pid --fork --kill-child sh -eu -c '
	root=$1
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount -t sysfs sysfs "$root/sys" 2>/dev/null || true
	exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 CI="$2" GOPROXY=off VEXT_FRESH_ROOT=1 \
		PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		sh -eux -c "cd /root/vext
			$4
			$3"
' sh "$root" "${CI:-}" "${1:-make run && make test}" "$packages"
