package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the packages from the top to the bottom: each imports only what is
// on lines below its own, or within its own folder. "x/..." is x and all that is
// in it.
var layers = []string{
	"cmd/...",
	"server/...", // with the control socket
	"source/...",
	"health/...",
	"reminder/...",
	"announce/...",
	"queue/...",
	"policy/...",
	"filter/...",
	"spool/...",
	"outbox/...",
	"notify/...",
	"templates/...",

	// What reads files and starts programs,
	"internal/convention/...",
	"internal/config/...",
	"internal/history/...",
	"internal/backport/...",
	"internal/vcs/...",
	"internal/program/...",
	"internal/forge/...",
	// a commit,
	"internal/commit/...",
	// the machine,
	"internal/store/...",
	"internal/conns/...",
	"internal/socket/...",
	"internal/pidfile/...",
	"internal/disk/...",
	"internal/wake/...",
	"internal/watchable/...",
	"internal/lograte/...",
	"internal/hint/...",
	"internal/backoff/...",
	"internal/throttle/...",
	// and words and numbers, which need nothing.
	"internal/target/...",
	"internal/weburl/...",
	"internal/calendar/...",
	"internal/text/...",
}

// inTests are packages that only tests import, which may import anything.
var inTests = []string{"internal/testkit/...", "test/..."}

// clocks are the packages beside cmd and server that read the clock, and why. All
// others get the time from their callers, so that --now and tests can set it.
// Timers, and contexts that end by themselves, do not count, nor do the deadlines
// of connections.
var clocks = map[string]string{
	"internal/conns": "which connection has been idle for the longest time",
	"internal/vcs":   "the age of a lock file that git has left, by the clock of the file system",
	"source/hook":    "how long a push has waited for the hook",
	"source/irker":   "deadlines of connections",
	"source/lmtp":    "deadlines of connections",
	"source/webhook": "deadlines of connections",
}

// Bounds of what one person can read.
const (
	maxLines    = 400 // of a file
	maxExported = 50  // names of a package
)

// A listed package is one as go list -json prints it.
type listed struct {
	ImportPath, Dir                  string
	Imports, GoFiles, IgnoredGoFiles []string
}

// listPackages returns all packages of the module, by their folders.
func listPackages(t *testing.T) map[string]*listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,IgnoredGoFiles", "vext/...").Output()
	ok(t, err)
	packages := map[string]*listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		err := d.Decode(p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		ok(t, err)
		packages[strings.TrimPrefix(p.ImportPath, "vext/")] = p
	}
}

// within reports whether a package is x/... .
func within(name, pattern string) bool {
	folder := strings.TrimSuffix(pattern, "/...")
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// layerOf returns the line of layers that a package is on, -1 if it is on none.
func layerOf(name string) int {
	return slices.IndexFunc(layers, func(pattern string) bool { return within(name, pattern) })
}

// Imports run downwards only.
func TestLayers(t *testing.T) {
	packages := listPackages(t)
	isTest := func(name string) bool {
		return slices.ContainsFunc(inTests, func(pattern string) bool { return within(name, pattern) })
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if isTest(name) {
			continue
		}
		own := layerOf(name)
		if own < 0 {
			t.Errorf("%s has no place in layers", name)
			continue
		}
		for _, path := range packages[name].Imports {
			imported, isOurs := strings.CutPrefix(path, "vext/")
			switch {
			case !isOurs:
			case isTest(imported):
				t.Errorf("%s imports %s, which is for tests", name, imported)
			case layerOf(imported) < own, layerOf(imported) == own && !within(imported, layers[own]):
				t.Errorf("%s imports %s, which is above it", name, imported)
			}
		}
	}
}

// Files and packages stay of a size that one person can read, and the time comes
// from the caller.
func TestShape(t *testing.T) {
	for name, p := range listPackages(t) {
		if within(name, "internal/testkit/...") || within(name, "test/...") {
			continue
		}
		exported, readers := map[string]bool{}, []string(nil)
		for _, file := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			path := filepath.Join(p.Dir, file)
			source := read(t, path)
			if n := strings.Count(source, "\n"); n > maxLines {
				t.Errorf("%s has %d lines, %d at most", filepath.Join(name, file), n, maxLines)
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
			ok(t, err)
			for _, id := range declared(parsed) {
				exported[id.Name] = exported[id.Name] || id.IsExported()
			}
			if readsClock(parsed) {
				readers = append(readers, file)
			}
		}
		maps.DeleteFunc(exported, func(_ string, is bool) bool { return !is })
		if len(exported) > maxExported {
			t.Errorf("%s exports %d names, %d at most", name, len(exported), maxExported)
		}
		if len(readers) > 0 && clocks[name] == "" && !within(name, "cmd/...") && !within(name, "server/...") {
			t.Errorf("%s reads the clock in %q; its caller has the time", name, readers)
		}
	}
}

// maxMethods bounds the methods of app, which all commands of cmd/vext share.
const maxMethods = 15

// A file of cmd/vext has commands, but for main.go, app.go and ui.go.
func TestCommands(t *testing.T) {
	files, err := filepath.Glob("../cmd/vext/*.go")
	ok(t, err)
	methods := 0
	for _, path := range files {
		name, source := filepath.Base(path), read(t, path)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		methods += strings.Count(source, "\nfunc (a *app) ")
		if !strings.Contains(source, "cobra.Command{") && !slices.Contains([]string{"main.go", "app.go", "ui.go"}, name) {
			t.Errorf("cmd/vext/%s has no command", name)
		}
	}
	if methods == 0 || methods > maxMethods {
		t.Errorf("app has %d methods, %d at most", methods, maxMethods)
	}
}

// declared returns the names that a file declares for its package.
func declared(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name)
				case *ast.ValueSpec:
					names = append(names, spec.Names...)
				}
			}
		}
	}
	return names
}

// readsClock reports whether a file uses time.Now, Since or Until for more than
// the deadline of a connection.
func readsClock(file *ast.File) (reads bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(f.Sel.Name, "Set") && strings.HasSuffix(f.Sel.Name, "Deadline") {
				return false
			}
		case *ast.SelectorExpr:
			of, ok := n.X.(*ast.Ident)
			reads = reads || ok && of.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, n.Sel.Name)
		}
		return true
	})
	return reads
}
