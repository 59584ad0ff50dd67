#!/bin/sh
# Makes the state directory that TestTakeover takes over, with the programs of
# the commit below:
#
#	sh testdata/takeover/make.sh
#
# It needs root, for a network and an /etc/hosts of its own; ngircd, git and Go.
# The names of the commits say what has become of each.
set -eu

commit=c78750e
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/testdata/takeover

if [ "${1:-}" != inside ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	# The programs, with a clock that VEXT_TEST_CLOCK sets: see internal/testkit.
	mkdir "$dir/source" "$dir/bin"
	git -C "$top" archive "$commit" | tar -x -C "$dir/source"
	goroot=$(go env GOROOT)
	sed '/^func Now() Time {/,/^}/s/sec, nsec, mono := runtimeNow()/&; sec += testShift/' "$goroot/src/time/time.go" >"$dir/time.go"
	cp "$top/internal/testkit/testdata/clock.go" "$dir/shift.go"
	printf '{"Replace":{"%s":"%s","%s":"%s"}}\n' "$goroot/src/time/time.go" "$dir/time.go" "$goroot/src/time/shift.go" "$dir/shift.go" >"$dir/overlay.json"
	(cd "$dir/source" && export CGO_ENABLED=0 &&
		go build -overlay "$dir/overlay.json" -trimpath -o "$dir/bin/vext" ./cmd/vext &&
		go build -overlay "$dir/overlay.json" -trimpath -ldflags '-E main.entry' -o "$dir/bin/vext-filter" ./cmd/vext-filter)
	printf '127.0.0.1 localhost irc.example.net\n127.0.0.9 irc.example.org\n' >"$dir/hosts"
	unshare --mount --net --pid --fork --kill-child sh "$0" inside "$dir"
	exit
fi
dir=$2
ip link set lo up
mount --bind "$dir/hosts" /etc/hosts

# at TIME COMMAND...: runs it at that time.
at() {
	VEXT_TEST_CLOCK=$(($(date -ud "$1" +%s) - $(date +%s)))
	export VEXT_TEST_CLOCK
	shift
	"$@"
}

vext() { "$dir/bin/vext" --config "$dir/${config:-vext}.toml" "$@"; }

# for_a_while SECONDS SIGNAL: vext serve.
for_a_while() {
	"$dir/bin/vext" --config "$dir/vext.toml" serve 2>>"$dir/serve.log" &
	sleep "$1"
	kill -"$2" $!
	wait $! || true
}

hash() { printf %s "$1" | sha1sum | cut -c 1-40; }

# mail DATE LOGIN NAME TRAILER [MORE]: a commit as FreeBSD's mailer writes it,
# arriving at that date.
mail() {
	at "$1" "$dir/bin/vext-filter" -state "$dir/state" <<-END
		From: $2 <$2@example.org>
		To: commits@example.org
		Date: $(date -uRd "$1")
		Message-Id: <$3@example.org>
		Subject: git: $(hash "$3" | cut -c 1-12) - main - $3
		X-Git-Committer: $2
		X-Git-Repository: src
		X-Git-Refname: refs/heads/main
		X-Git-Commit: $(hash "$3")

		commit $(hash "$3")
		Author:     $2 <$2@example.org>
		AuthorDate: $(date -ud "$1" '+%F %T +0000')
		Commit:     $2 <$2@example.org>
		CommitDate: $(date -ud "$1" '+%F %T +0000')

		    $3

		    $4
		    ${5:-}
		---
	END
}

# change DATE REPOSITORY BRANCH NAME TRAILER: a commit in a repository.
change() {
	git -C "$dir/work-$2" checkout -q "$3" 2>/dev/null || git -C "$dir/work-$2" checkout -q -b "$3"
	GIT_AUTHOR_DATE=$1 GIT_COMMITTER_DATE=$1 git -C "$dir/work-$2" commit -q --allow-empty -m "$4" -m "$5"
}

push() { at "$1" git -C "$dir/work-$2" push -q "$dir/$2.git" main topic; }

# No path is in the history: changing it there would spoil its sums.
sed "s|DIR|$dir|; /^proxy/d; s|^via.*|via = \"stdout:\"|" "$here/vext.toml" >"$dir/vext.toml"
sed 's|^via.*|via = "smtp://127.0.0.1:9"|' "$dir/vext.toml" >"$dir/unreachable.toml"
cat >"$dir/ngircd.conf" <<-END
	[Global]
	Name = irc.example.net
	Info = A test
	Listen = 127.0.0.1
	[Options]
	DNS = no
	Ident = no
	PAM = no
END
export HOME="$dir" GIT_CONFIG_NOSYSTEM=1
git config --global user.name dave
git config --global user.email dave@example.org
mkdir -m 750 "$dir/state"
for r in widget tools; do
	git init -q --initial-branch=main "$dir/work-$r"
	git init -q --bare --initial-branch=main "$dir/$r.git"
	change 2026-10-01T10:00Z $r main "$r-before" 'MFC after: 1 day'
	change 2026-10-01T11:00Z $r topic "$r-topic-before" ''
	push 2026-10-01T12:00Z $r
done

# Years ago.
mail 2024-03-01T10:00Z dave sent-2024 'MFC after: 2 weeks'
mail 2024-03-01T11:00Z dave cancelled-2024 'MFC after: 2 weeks'
at 2024-03-02T09:00Z vext run
at 2024-03-10T09:00Z vext cancel "$(hash cancelled-2024)"
at 2024-03-15T09:00Z vext run
mail 2025-06-01T10:00Z emil sent-2025 'MFC after: 1 week'
mail 2025-06-01T11:00Z emil snoozed-2025 'MFC after: 1 week'
mail 2025-06-02T11:00Z emil copy-2025 'MFC after: 1 week' "(cherry picked from commit $(hash sent-2025))"
at 2025-06-03T09:00Z vext run
at 2025-06-04T09:00Z vext snooze "$(hash snoozed-2025)" 2025-07-01
at 2025-06-08T09:00Z vext run
at 2025-07-01T09:00Z vext run

# The repositories are looked into; what is pushed then is announced on a network
# that is away.
at 2026-11-01T08:00Z for_a_while 5 TERM
at 2026-11-01T09:00Z vext hook install --name tools "$dir/tools.git"
at 2026-11-01T09:10Z vext follow --once
change 2026-11-02T07:00Z widget main widget-announced 'MFC after: 4 weeks'
change 2026-11-02T07:10Z widget topic widget-topic-announced ''
change 2026-11-02T07:20Z tools main tools-announced 'MFC after: 4 weeks'
change 2026-11-02T07:30Z tools topic tools-topic-announced ''
push 2026-11-02T08:00Z widget
push 2026-11-02T08:00Z tools
sleep 2
at 2026-11-02T08:10Z vext follow --once
at 2026-11-02T08:20Z for_a_while 5 TERM

# Reminders that wait for later, or for a person.
mail 2026-11-11T10:00Z emil snoozed-mail 'MFC after: 2 weeks'
mail 2026-11-16T10:00Z dave due-today 'MFC after: 2 weeks'
mail 2026-11-16T11:00Z jane due-person 'MFC after: 2 weeks'
mail 2026-11-16T12:00Z dave later-mail 'MFC after: 4 weeks'
mail 2026-11-16T13:00Z jane later-person 'MFC after: 4 weeks'
mail 2026-11-16T14:00Z dave cancelled-mail 'MFC after: 2 weeks'
mail 2026-11-20T10:00Z emil quarantined-mail 'MFC after: soon'
at 2026-11-20T12:00Z vext run
at 2026-11-24T09:00Z vext snooze "$(hash snoozed-mail)" 2026-12-21
at 2026-11-24T09:10Z vext cancel "$(hash cancelled-mail)"

# Lines that wait for IRC: beside a mail that was sent, for too long, and not; and
# a mail that no server took.
mail 2026-11-28T10:00Z bob beside-mail 'MFC after: 1 day'
mail 2026-11-28T10:00Z ann waits-too-long 'MFC after: 1 day'
at 2026-11-29T12:00Z vext run || true
mail 2026-11-28T19:00Z ann waits-for-irc 'MFC after: 1 day'
mail 2026-11-28T19:10Z kim told-unrecorded 'MFC after: 1 day'
mail 2026-11-28T19:20Z dave deferred-mail 'MFC after: 1 day'
config=unreachable
at 2026-11-29T20:00Z vext run || true
config=vext
at 2026-11-29T20:10Z vext notify irc://irc.example.org/#ops 'the backup failed' || true

# One that was told before the history could say so.
ngircd --nodaemon --config "$dir/ngircd.conf" >"$dir/ngircd.log" 2>&1 &
ngircd=$!
sleep 1
flock "$dir/state/lock" sleep 16 &
at 2026-11-29T20:20Z for_a_while 10 KILL
kill "$ngircd"
wait

# What has no day yet, and is not announced yet.
change 2026-11-30T08:00Z widget main widget-spooled 'MFC after: 0 days'
change 2026-11-30T08:10Z widget topic widget-topic-spooled ''
push 2026-11-30T09:00Z widget
at 2026-11-30T09:10Z vext follow --once
mail 2026-11-30T09:30Z dave spooled-due 'MFC after: 0 days'
mail 2026-11-30T09:40Z dave spooled-later 'MFC after: 2 weeks'

# What nobody has seen yet.
change 2026-11-30T10:00Z widget main widget-new 'MFC after: 0 days'
change 2026-11-30T10:10Z widget topic widget-topic-new ''
change 2026-11-30T10:20Z tools main tools-missed 'MFC after: 0 days'
change 2026-11-30T10:30Z tools topic tools-topic-missed ''

rm -rf "$here/state" "$dir"/state/irc/door "$dir"/state/repositories/*.git "$dir"/state/*/*.lock
find "$dir/state" -type f ! -name '*.db' -exec sed -i "s|$dir|DIR|g" {} +
cp -r "$dir/state" "$here/state"
sed "s|$dir|DIR|g" "$dir/tools.git/hooks/post-receive" >"$here/post-receive"
for r in widget tools; do
	git -C "$dir/work-$r" bundle create -q "$here/$r.bundle" main topic
done
cat "$dir/serve.log"
