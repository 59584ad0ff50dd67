# Makes src, a repository of git with two stable branches, always with the same hashes.
set -e
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=Jane GIT_AUTHOR_EMAIL=jane@example.org GIT_COMMITTER_NAME=Jane GIT_COMMITTER_EMAIL=jane@example.org
on() { export GIT_AUTHOR_DATE="$1T10:00:00Z" GIT_COMMITTER_DATE="$1T10:00:00Z"; }
edit() { sed "$1" "$2" >new; mv new "$2"; git add -A; }
save() { git commit --quiet "$@"; git rev-parse HEAD; }

git init --quiet -b main src
cd src
on 2026-10-01
for f in a b c d; do printf '1\n2\n3\n4\n5\n6\n7\n8\n9\n' >$f; done
git add -A
save -m start >../start
git branch stable/14
git branch stable/15

on 2026-11-02; edit s/1/one/ a
a=$(save -m 'a: begin with a word' -m 'MFC after: 1 week')
on 2026-11-03; edit s/2/two/ a
fix=$(save -m 'a: go on with a word' -m "Fixes: $a")
on 2026-11-04; edit s/5/five/ b
b=$(save -m 'b: a word in the middle' -m 'MFC after: 2 weeks')
on 2026-11-05; edit s/9/nine/ c
save -m 'c: prepare the end'
on 2026-11-06; edit s/nine/NINE/ c
save -m 'c: shout the end' -m 'MFC after: 3 days'
on 2026-11-07; edit s/8/eight/ d
save -m 'd: a mistake' -m 'MFC after: 1 week'
on 2026-11-08; git revert --no-edit HEAD >/dev/null
on 2026-11-24; edit s/1/one/ d
save -m 'd: begin with a word' -m 'MFC after: 1 week' -m 'MFC to: stable/15'

git checkout --quiet stable/15
export GIT_COMMITTER_NAME=Ida GIT_COMMITTER_EMAIL=ida@example.org
on 2026-11-20
git cherry-pick -x "$b" "$a" >/dev/null
git checkout --quiet main
echo "$a $fix" >../picked
