package autosync

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"vext/internal/calendar"
	"vext/internal/text"
)

// Bounds of a message.
const (
	maxSubject = 72 // characters
	maxList    = 20 // files
)

// list returns a line for each file, and one that says how many are left out.
func list(files []File) (lines []string) {
	for i, f := range files {
		if i == maxList {
			return append(lines, fmt.Sprintf("and %d more", len(files)-i))
		}
		lines = append(lines, describe(f, 1000))
	}
	return lines
}

// subject returns what has changed, for the first line of a message.
func subject(files []File) string {
	switch len(files) {
	case 0:
		return "no file has changed"
	case 1:
		return describe(files[0], maxSubject)
	}
	if from, to, ok := movedDir(files); ok {
		return fit(from+"/", maxSubject/2-12) + " renamed to " + fit(to+"/", maxSubject/2-12) + " (" + fmt.Sprint(len(files)) + " files)"
	}
	n := fmt.Sprintf("%d files", len(files))
	if dir := commonDir(files); dir != "." {
		return n + " in " + fit(dir+"/", maxSubject-len(n)-len(" in "))
	}
	return n + ": " + kinds(files)
}

// kinds returns how many files there are of each kind: "2 new, 4 changed, 1 deleted".
func kinds(files []File) string {
	n := count(files)
	var parts []string
	for _, k := range []struct{ kind, word string }{{"added", "new"}, {"modified", "changed"}, {"renamed", "renamed"}, {"deleted", "deleted"}} {
		if n[k.kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[k.kind], k.word))
		}
	}
	return strings.Join(parts, ", ")
}

// count returns the numbers of files of each kind.
func count(files []File) map[string]int {
	n := map[string]int{}
	for _, f := range files {
		n[f.Kind]++
	}
	return n
}

// describe returns what has changed in one file, in at most max characters where possible.
func describe(f File, max int) string {
	var what string
	switch f.Kind {
	case "renamed":
		half := (max - len(" renamed to ")) / 2
		return fit(f.From, half) + " renamed to " + fit(f.Path, half)
	case "deleted":
		what = "deleted"
	case "added":
		what = "new, " + extent(f)
	default:
		what = extent(f)
		if f.Binary {
			what = "changed, " + what
		}
	}
	return fit(f.Path, max-len(": ")-len(what)) + ": " + what
}

// extent returns how much has changed: lines, or the size of what has none.
func extent(f File) string {
	switch lines := max(f.Added, f.Deleted); {
	case f.Binary:
		return size(f.Size)
	case lines > 0:
		return calendar.Plural(lines, "line")
	case f.Kind == "added":
		return "empty"
	}
	return "changed" // its mode, or its type
}

// size returns a number of bytes as people say it: "2.1 MB".
func size(n int64) string {
	if n < 1000 {
		return calendar.Plural(int(n), "byte")
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.5 && unit < 3 {
		v, unit = v/1000, unit+1
	}
	form := "%.0f %s"
	if v < 9.95 {
		form = "%.1f %s"
	}
	return fmt.Sprintf(form, v, []string{"kB", "MB", "GB", "TB"}[unit])
}

// fit returns a path on one line, in at most max characters where its last component has
// so few: what is left out is its beginning.
func fit(name string, max int) string {
	name = text.OneLine(strings.ToValidUTF8(name, "?"))
	if utf8.RuneCountInString(name) <= max {
		return name
	}
	rest := name
	for {
		_, after, isLonger := strings.Cut(rest, "/")
		if !isLonger || after == "" {
			break
		}
		rest = after
		if utf8.RuneCountInString(rest)+len("…/") <= max {
			return "…/" + rest
		}
	}
	runes := []rune(rest)
	if max < 10 || len(runes) <= max {
		return rest
	}
	return string(runes[:max/2]) + "…" + string(runes[len(runes)-(max-max/2-1):])
}

// commonDir returns the directory that all files are in, "." for none.
func commonDir(files []File) string {
	dir := path.Dir(files[0].Path)
	for _, f := range files {
		for dir != "." && dir != "/" && !strings.HasPrefix(f.Path, dir+"/") {
			dir = path.Dir(dir)
		}
	}
	return dir
}

// movedDir returns the directory whose files have all moved to another one.
func movedDir(files []File) (from, to string, ok bool) {
	before := make([]File, len(files))
	for i, f := range files {
		if f.From == "" {
			return "", "", false
		}
		before[i].Path = f.From
	}
	from, to = commonDir(before), commonDir(files)
	for _, f := range files {
		if strings.TrimPrefix(f.From, from) != strings.TrimPrefix(f.Path, to) {
			return "", "", false
		}
	}
	return from, to, from != "." && to != "."
}
