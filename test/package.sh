#!/bin/sh
# package.sh DEB RPM: installs, uses, upgrades, removes and purges the .deb, and
# looks into the .rpm. Only for a root that is thrown away: test/fresh.sh runs it.
set -eu

deb=$1
rpm=$2
state=/var/spool/vext
[ "${VEXT_FRESH_ROOT:-}" = 1 ] || { echo 'package: only test/fresh.sh runs this' >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive

fail() {
	echo "package: $*" >&2
	exit 1
}

as_vext() { setpriv --reuid vext --regid vext --clear-groups env HOME=/nonexistent "$@"; }

echo 'package: installing it'
dpkg -i "$deb"
as_vext vext version
[ "$(stat -c '%U %G %a' $state)" = 'vext vext 750' ] || fail "$state is not that of vext"
for page in man1/vext.1 man1/vext-filter.1 man1/vext-remote.1 man1/vext-autosync.1 man5/vext.toml.5 man7/vext-queue.7; do
	zcat "/usr/share/man/$page.gz" | grep -q '^\.Dt VEXT' || fail "$page is no manual page"
done
for file in bash-completion/completions/vext zsh/vendor-completions/_vext fish/vendor_completions.d/vext.fish doc/vext/examples/vext.toml.example; do
	[ -s "/usr/share/$file" ] || fail "$file is missing"
done
if grep -rl /usr/local/bin/vext /usr/lib/systemd/system/vext* /usr/lib/systemd/user/vext* /usr/share/doc/vext; then
	fail 'these name another place'
fi
[ "$(stat -c %a /usr/bin/vext-filter)" = 755 ] || fail 'the filter cannot be run'

echo 'package: using it'
install -d -o vext -g vext /var/mail/reminders
sed -e 's|^#via = .*|via = "maildir:/var/mail/reminders"|' /usr/share/doc/vext/examples/vext.toml.example >/etc/vext/vext.toml
as_vext vext-filter -v <<-END
	From: Jane <jane@example.org>
	Message-ID: <package@example.org>
	Date: $(date -R)
	Subject: git: 0123456789ab - main - foo: fix bar
	X-Git-Repository: src
	X-Git-Refname: refs/heads/main
	X-Git-Commit: 0123456789abcdef0123456789abcdef01234567
	X-Git-Committer: jane

	foo: fix bar

	MFC after: 0 days
END
as_vext vext run
grep -q '^Subject: .*foo: fix bar' /var/mail/reminders/new/* || fail 'no reminder was sent'
as_vext vext check || [ $? -eq 1 ] || fail 'vext check finds something critical'

echo 'package: upgrading it'
dpkg -i "$deb"
[ -s /etc/vext/vext.toml ] || fail 'the configuration is gone'
[ -n "$(ls $state/history)" ] || fail 'the history is gone'

echo 'package: removing and purging it'
dpkg -r vext
[ ! -e /usr/bin/vext ] || fail 'the program is still there'
[ -n "$(ls $state/history)" ] || fail 'dpkg -r has removed the history'
[ -s /etc/vext/vext.toml ] || fail 'dpkg -r has removed the configuration'
dpkg -P vext 2>&1 | tee /tmp/purge
for path in $state /etc/vext; do
	grep -q "$path is kept" /tmp/purge || fail "the purge does not say that it keeps $path"
done
[ -n "$(ls $state/history)" ] || fail 'the purge has removed the history'
id vext >/dev/null || fail 'the purge has removed the user, who owns the history'

echo 'package: purging it without a history'
rm -r $state /etc/vext /var/mail/reminders
dpkg -i "$deb"
as_vext vext run # which makes the files of an empty state directory
dpkg -P vext
for path in $state /etc/vext /usr/bin/vext /usr/share/doc/vext; do
	[ ! -e "$path" ] || fail "the purge has left $path"
done
if id vext 2>/dev/null; then
	fail 'the purge has left the user'
fi

if ! command -v rpm >/dev/null 2>&1; then
	apt-get install -y -qq --no-install-recommends rpm >/dev/null || { echo 'package: there is no rpm(8); not looking into the .rpm' >&2; exit 0; }
fi
echo 'package: looking into the .rpm'
rpm -qpi "$rpm"
rpm -qp --scripts "$rpm" | grep -q useradd || fail 'the .rpm makes no user'
for file in /usr/bin/vext /usr/bin/vext-filter /usr/lib/systemd/system/vext.service /usr/lib/systemd/user/vext-remote@.service /usr/share/man/man1/vext.1.gz /usr/share/man/man1/git-remote-daemon.1.gz /usr/share/zsh/site-functions/_vext /etc/vext; do
	rpm -qpl "$rpm" | grep -qx $file || fail "the .rpm lacks $file"
done
if rpm -qpl "$rpm" | grep -xE '/usr/bin|/usr/share|/usr/share/man|/etc'; then
	fail 'the .rpm owns these directories of the system'
fi
root=$(mktemp -d)
rpm --root "$root" --initdb
rpm --root "$root" --install --nodeps --noscripts "$rpm"
"$root/usr/bin/vext" version
