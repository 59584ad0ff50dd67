package repo_test

import (
	"strings"
	"testing"

	"vext/source/autosync/repo"
)

const mark = " (conflict beta 2026-11-30 14.05)"

// conflicts are what both sides do to the files of base. copied is what is there then with the
// policy Copy.
var conflicts = []struct {
	name, base, theirs, ours string
	copied                   string   // COPY stands for the mark of a conflict
	kept                     []string // in the history, with every policy
	n                        int      // conflicts that are reported
}{
	{"both changed", "echo base >a.txt", "echo theirs >a.txt", "echo ours >a.txt",
		"aCOPY.txt: ours\na.txt: theirs", []string{"theirs", "ours"}, 1},
	{"same change", "echo base >a.txt", "echo same >a.txt", "echo same >a.txt; echo more >b",
		"a.txt: same\nb: more", []string{"same"}, 0},
	{"other lines", "seq 20 >a", "sed -i 's/^1$/theirs/' a", "sed -i 's/^20$/ours/' a",
		"a: theirs/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/ours", []string{"theirs", "ours"}, 0},
	{"both added", "echo base >a.txt", "echo theirs >.profile", "echo ours >.profile",
		".profile: theirs\n.profileCOPY: ours\na.txt: base", []string{"theirs", "ours"}, 1},
	{"deleted here", "echo base >a; echo b >b", "echo theirs >a", "rm a",
		"a: theirs\nb: b", []string{"theirs"}, 1},
	{"deleted there", "echo base >a; echo b >b", "rm a", "echo ours >a",
		"a: ours\nb: b", []string{"ours"}, 1},
	{"both deleted", "echo base >a; echo b >b", "rm a", "rm a; echo c >c", "b: b\nc: c", nil, 0},
	{"renamed here, changed there", "seq 20 >a", "sed -i 's/^1$/theirs/' a", "mv a b",
		"b: theirs/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20", []string{"theirs"}, 0},
	{"renamed there, changed here", "seq 20 >a", "mv a b", "sed -i 's/^1$/ours/' a",
		"b: ours/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20", []string{"ours"}, 0},
	{"renamed here, both changed", "seq 9 >a", "sed -i 's/^1$/theirs/' a", "mv a b; sed -i 's/^1$/ours/' b",
		"bCOPY: ours/2/3/4/5/6/7/8/9\nb: theirs/2/3/4/5/6/7/8/9", []string{"theirs", "ours"}, 1},
	{"renamed to two names", "seq 9 >a", "mv a b; sed -i 's/^1$/theirs/' b", "mv a c; sed -i 's/^1$/ours/' c",
		"b: theirs/2/3/4/5/6/7/8/9\nc: ours/2/3/4/5/6/7/8/9", []string{"theirs", "ours"}, -1},
	{"two renamed to one name", "seq 9 >a; seq 11 19 >b", "mv a c; sed -i s/9/theirs/ c; sed -i s/19/theirs/ b", "mv b c; sed -i s/19/ours/ c; sed -i s/9/ours/ a",
		"a: 1/2/3/4/5/6/7/8/ours\nb: 11/12/13/14/15/16/17/18/theirs\ncCOPY: 11/12/13/14/15/16/17/18/ours\nc: 1/2/3/4/5/6/7/8/theirs", []string{"theirs", "ours"}, -1},
	{"renamed onto an added one", "seq 9 >a", "mv a c; sed -i s/1/theirs/ c", "echo ours >c; sed -i s/1/edit/ a",
		"a: edit/2/3/4/5/6/7/8/9\ncCOPY: ours\nc: theirs/2/3/4/5/6/7/8/9", []string{"theirs", "ours", "edit"}, -1},
	{"renamed here, deleted there", "seq 9 >a; echo x >x", "rm a", "mv a b", "b: 1/2/3/4/5/6/7/8/9\nx: x", nil, 1},
	{"file here, directory there", "echo x >x", "mkdir d; echo theirs >d/f", "echo ours >d",
		"d/f: theirs\ndCOPY: ours\nx: x", []string{"theirs", "ours"}, 1},
	{"directory here, file there", "echo x >x", "echo theirs >d", "mkdir d; echo ours >d/f",
		"d/f: ours\ndCOPY: theirs\nx: x", []string{"theirs", "ours"}, 1},
	{"changed here, directory there", "echo base >d", "rm d; mkdir d; echo theirs >d/f", "echo ours >d",
		"d/f: theirs\ndCOPY: ours", []string{"theirs", "ours"}, 1},
	{"directory becomes file there, changed here", "mkdir d; echo base >d/f", "rm -r d; echo theirs >d", "echo ours >d/f",
		"d/f: ours\ndCOPY: theirs", []string{"theirs", "ours"}, -1},
	{"both links", "ln -s base l", "ln -sfn theirs l", "ln -sfn ours l",
		"lCOPY -> ours\nl -> theirs", []string{"theirs", "ours"}, 1},
	{"link here, changed there", "echo base >a.txt", "echo theirs >a.txt", "ln -sf ours a.txt",
		"aCOPY.txt -> ours\na.txt: theirs", []string{"theirs", "ours"}, 1},
	{"link there, changed here", "echo base >a.txt", "ln -sf theirs a.txt", "echo ours >a.txt",
		"aCOPY.txt: ours\na.txt -> theirs", []string{"theirs", "ours"}, 1},
	{"mode there, content here", "echo base >a", "chmod +x a", "echo ours >a", "a*: ours", []string{"ours"}, 0},
	{"mode against mode", "echo x >x", "echo same >a; chmod +x a", "echo same >a", "a*: same\nx: x", nil, 1},
	{"content and mode", "echo base >a", "echo theirs >a", "echo ours >a; chmod +x a",
		"aCOPY*: ours\na: theirs", []string{"theirs", "ours"}, 1},
	{"binary", `printf 'base\0' >a.png`, `printf 'theirs\0' >a.png`, `printf 'ours\0' >a.png`,
		"aCOPY.png: ours\x00\na.png: theirs\x00", []string{"theirs", "ours"}, 1},
	{"case only", "echo base >readme", "mv readme README", "echo ours >readme",
		"README: ours", []string{"ours"}, 0},
	{"case of two", "echo base >readme", "mv readme README", "mv readme ReadMe", "README: base\nReadMe: base", nil, -1},
	{"forms of one letter", "echo x >x", `echo theirs >"$(printf '\303\251')"`, `echo ours >"$(printf 'e\314\201')"`,
		"e\u0301: ours\nx: x\n\u00e9: theirs", []string{"theirs", "ours"}, 0},
	{"odd names", `echo base >"a b	c.x y"`, `echo theirs >"a b	c.x y"`, `echo ours >"a b	c.x y"`,
		"a b\tc.x yCOPY: ours\na b\tc.x y: theirs", []string{"theirs", "ours"}, 1},
	{"colon and star", `echo base >':(top)*'`, `echo theirs >':(top)*'`, `echo ours >':(top)*'`,
		":(top)*COPY: ours\n:(top)*: theirs", []string{"theirs", "ours"}, 1},
	{"in a directory that they have deleted", "mkdir d; echo a >d/a; echo b >d/b; echo x >x", "rm -r d", "echo ours >d/a; echo new >d/c",
		"d/a: ours\nd/c: new\nx: x", []string{"ours", "new"}, 1},
	{"in a directory that they have renamed", "mkdir d; seq 9 >d/a; seq 11 19 >d/b", "mv d e", "echo ours >d/c",
		"d/c: ours\ne/a: 1/2/3/4/5/6/7/8/9\ne/b: 11/12/13/14/15/16/17/18/19", []string{"ours"}, 0},
	{"markers that belong there", "echo base >a", "printf '%s\\n' '<<<<<< mine' theirs >a", "echo ours >a",
		"aCOPY: ours\na: <<<<<< mine/theirs", []string{"theirs", "ours"}, 1},
}

func TestConflicts(t *testing.T) {
	person(t)
	for _, test := range conflicts {
		for _, policy := range []string{"", repo.Ours, repo.Theirs, repo.Stop} {
			for _, merge := range []bool{false, true} {
				if policy != "" && (merge || test.n == 0) {
					continue
				}
				name := test.name + "," + policy
				if merge {
					name += ",merge"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					p := newPair(t, repo.Options{Conflict: policy, Merge: merge})
					p.share(test.base)
					p.part(test.theirs, test.ours)
					before := p.files(p.b)
					pulled, err := p.b.Pull(t.Context(), repo.PullOptions{})
					if policy == repo.Stop && err != nil {
						if after := p.files(p.b); test.n == 0 || after != before {
							t.Errorf("stopped with %v and %s", err, after)
						}
						p.sound(p.b)
						return
					}
					p.check(err)
					if policy == repo.Stop && test.n != 0 || test.n >= 0 && len(pulled.Conflicts) != test.n || test.n < 0 && len(pulled.Conflicts) == 0 && strings.Contains(test.copied, "COPY") {
						t.Errorf("conflicts: %+v", pulled.Conflicts)
					}
					for _, c := range pulled.Conflicts {
						t.Log(c.Text)
					}
					want := sorted(strings.ReplaceAll(test.copied, "COPY", mark))
					if got := p.files(p.b); policy == "" && got != want {
						t.Errorf("files:\n%s\nwant:\n%s", got, want)
					}
					all := p.history(p.b)
					for _, content := range test.kept {
						if !strings.Contains(all, content) {
							t.Errorf("%q is lost", content)
						}
					}
					p.meet()
					p.sh(p.a, "echo third >third")
					p.save(p.a)
					p.push(p.a)
					if again := p.pull(p.b); len(again.Conflicts) > 0 {
						t.Errorf("the next pull: %+v", again)
					}
				})
			}
		}
	}
}
