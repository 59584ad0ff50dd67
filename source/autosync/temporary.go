package autosync

import (
	"path"
	"regexp"
	"strings"
	"sync"
)

// temporaries are the names of files that programs make for a moment, or as long as they
// edit another one. A name that a person may have chosen must not match.
var temporaries = []string{
	// vim tries whether it may write, and has swap files; backups of many editors end in ~
	`4913`, `\.(.+\.)?sw[a-eg-px]`, `\..+\.swpx`, `.+~`,
	`#.+#`, `\.#.+`, // emacs
	`\.~lock\..+#`, `lu[0-9]+[0-9a-z]*\.tmp`, // LibreOffice
	`.+___jb_(tmp|old|bak)___`,                                                              // JetBrains
	`~\$.+`, `~(?i:WR[A-Z][0-9]{4}\.tmp)`, `(?i:ppt[0-9A-F]{2,8}\.tmp)`, `[0-9A-F]{8}\.tmp`, // Microsoft Office
	`\.goutputstream-.{6}`, `\..+\.kate-swp`, `\.subl[0-9a-f]+\.tmp`, `.+\.sb-[0-9a-f]{8}-.{6}`, // GNOME, Kate, Sublime Text, macOS
	`.+\.(part|crdownload|opdownload|partial)`,   // browsers
	`\.merge_file_.{6}`,                          // git
	`~syncthing~.+\.tmp`, `\.syncthing\..+\.tmp`, // Syncthing
	`\.nfs[0-9a-f]{12,24}`, `\.fuse_hidden[0-9a-f]{8,24}`, // files that were removed while open
}

var isTemporaryName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:` + strings.Join(temporaries, "|") + `)$`)
})

// IsTemporary reports whether the name of a file is one that editors and other programs
// give their temporary files.
func IsTemporary(file string) bool {
	name := path.Base(file)
	return isTemporaryName().MatchString(name) || isExcel(name) || hasRandomEnd(name)
}

// isExcel reports whether a name is one of Excel's, 8 digits of a hexadecimal number. A date
// and a word are no such number.
func isExcel(name string) bool {
	if len(name) != 8 {
		return false
	}
	digits, letters := 0, 0
	for i := range len(name) {
		switch c := name[i]; {
		case isDigit(c):
			digits++
		case c >= 'A' && c <= 'F':
			letters++
		default:
			return false
		}
	}
	return digits >= 2 && letters >= 2
}

// hasRandomEnd reports whether a name has an end as mkstemp(3) makes it: sed's files,
// rsync's (.name.XXXXXX), and those that libraries rename to their final name
// (name.ext.XXXXXX).
func hasRandomEnd(name string) bool {
	if len(name) < 9 {
		return false
	}
	start, end := name[:len(name)-6], name[len(name)-6:]
	if start == "sed" {
		return isRandom(end)
	}
	start, hasDot := strings.CutSuffix(start, ".")
	return hasDot && len(start) > 1 && strings.Contains(start, ".") && isRandom(end)
}

// isRandom reports whether letters and digits look random. Some that are random do not,
// but a word, a version and a date never do.
func isRandom(s string) bool {
	var upper, lower, digits, mixed int
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			digits++
			if i+1 < len(s) && isLetter(s[i+1]) {
				mixed++
			}
		case c >= 'A' && c <= 'Z':
			upper++
			if i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z' {
				mixed++
			}
		case isLetter(c):
			lower++
		default:
			return false
		}
	}
	switch {
	case upper > 0 && lower > 0 && digits > 0:
		return mixed > 0
	case upper > 0 && lower > 0:
		return mixed > 1
	}
	return upper > 2 && digits > 0 && mixed > 0 // as GLib makes it
}
