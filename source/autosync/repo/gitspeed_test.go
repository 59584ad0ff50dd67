package repo_test

import (
	"testing"

	"vext/source/autosync/repo"
)

// BenchmarkPull measures an integration of one commit on each side, with the fetch from a path.
func BenchmarkPull(b *testing.B) {
	for name, isOurs := range map[string]bool{"forward": false, "rebase": true} {
		b.Run(name, func(b *testing.B) {
			p := newPair(b, repo.Options{})
			p.share("for i in $(seq 100); do echo $i >$i; done")
			for b.Loop() {
				b.StopTimer()
				p.sh(p.a, "echo theirs >>1")
				p.save(p.a)
				p.push(p.a)
				if isOurs {
					p.sh(p.b, "echo ours >>2")
					p.save(p.b)
				}
				b.StartTimer()
				p.pull(p.b)
				b.StopTimer()
				p.push(p.b)
				p.pull(p.a)
				b.StartTimer()
			}
		})
	}
}
