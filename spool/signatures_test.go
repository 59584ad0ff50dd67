package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestSignatures(t *testing.T) {
	s := New(newState(t))
	if got := s.Signatures("webhook-a"); !reflect.DeepEqual(got, &Signatures{}) {
		t.Errorf("of nothing: %+v", got)
	}
	g := new(Signatures)
	g.Accept("src", noon)
	g.Accept("", noon)
	for i := range 4 {
		g.Reject("src", noon.Add(time.Duration(i)*time.Minute))
	}
	if !g.Burst.IsZero() {
		t.Error("four are many")
	}
	g.Reject("doc", noon.Add(time.Hour))
	if g.Burst != noon.Add(time.Hour) || g.LastRejected() != g.Burst {
		t.Errorf("five within an hour: %v", g.Burst)
	}
	g.Reject("", noon.Add(3*time.Hour))
	if g.Burst != noon.Add(time.Hour) {
		t.Errorf("a later one: %v", g.Burst)
	}
	if r := g.Repositories["src"]; r.Count != 4 || r.Since != noon || r.Rejected != noon.Add(3*time.Minute) || r.Good != noon {
		t.Errorf("%+v", r)
	}
	if err := os.Mkdir(filepath.Join(s.state, "tmp"), 0o750); err != nil { // and no history yet
		t.Fatal(err)
	}
	s.NoteSignatures("webhook-a", g)
	if got := s.Signatures("webhook-a"); !reflect.DeepEqual(got, g) {
		t.Errorf("stored %+v\n read  %+v", g, got)
	}
	g.Accept("src", noon.Add(4*time.Hour))
	if r := g.Repositories["src"]; r.Count != 0 || !r.Rejected.IsZero() {
		t.Errorf("after a good one: %+v", r)
	}
	path := filepath.Join(s.state, "history", "signatures-webhook-a")
	for _, text := range []string{"", "{", `{"repositories":{"x":null}}`, `{"refused":3}`} {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if got := s.Signatures("webhook-a"); len(got.Repositories) > 0 || len(got.Rejected) > 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// Invented names do not displace real ones.
func TestSignaturesBounded(t *testing.T) {
	g := new(Signatures)
	for i := range maxProven + 5 {
		g.Accept(fmt.Sprintf("good%04d", i), noon.Add(time.Duration(i)*time.Second))
	}
	g.Reject("mine", noon)
	g.Reject("mine", noon)
	for i := range 1000 {
		g.Reject(fmt.Sprintf("evil%d", i), noon.Add(time.Duration(i)*time.Second))
	}
	if n := len(g.Repositories); n != maxProven+maxClaimed {
		t.Errorf("%d repositories", n)
	}
	if g.Repositories["mine"] == nil || g.Repositories["good0005"] == nil || g.Repositories["good0004"] != nil {
		t.Error("the wrong ones were forgotten")
	}
}
