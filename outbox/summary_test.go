package outbox

import "testing"

func TestSummary(t *testing.T) {
	commits := func(project string, n int) record {
		return record{Text: project + ": jane main * 1 / a.c: fix", Project: project, Commits: n}
	}
	message := record{Text: "the build is broken"}
	for _, test := range []struct {
		records []record
		want    string
	}{
		{[]record{commits("src", 36), commits("src", 1)}, "37 commits to src while I was away: the last was src: jane main * 1 / a.c: fix"},
		{[]record{message, message}, "2 messages while I was away: the last was the build is broken"},
		{[]record{commits("src", 2), commits("doc", 1)}, "2 commits to src and 1 commit to doc while I was away: the last was doc: jane main * 1 / a.c: fix"},
		{[]record{commits("src", 2), commits("doc", 1), message}, "2 commits to src, 1 commit to doc and 1 message while I was away: the last was the build is broken"},
		{[]record{{Text: "x", Commits: 3}}, "3 commits while I was away: the last was x"},
		{
			[]record{{Text: "37 commits to src while ...", Sum: map[string]int{"src": 30, "doc": 7}, Last: "x"}, commits("src", 1)},
			"31 commits to src and 7 commits to doc while I was away: the last was src: jane main * 1 / a.c: fix",
		},
		{[]record{{Text: "...", Sum: map[string]int{"src": 3}, Last: "x"}}, "3 commits to src while I was away: the last was x"},
	} {
		var s summary
		for i := range test.records {
			s.add(&test.records[i])
		}
		if got := s.String(); got != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
	var s summary
	for _, project := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		r := record{Text: "x", Project: project, Commits: 2}
		s.add(&r)
	}
	if got := s.String(); got != "2 commits to a, 2 commits to b, 2 commits to c, 2 commits to d, 2 commits to e and 4 commits to others while I was away: the last was x" {
		t.Errorf("of many projects: %s", got)
	}
}
