package reminder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/templates"
)

// A mistake in a template of one's own is found before a reminder waits.
func TestTryTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"Please merge {{.Short}}.\n":  "",
		"{{.Nmae}}":                   "reminder.txt:1:2",
		"{{join .Name \",\"}}":        "reminder.txt:1",
		"{{if .To}}":                  "reminder.txt:1",
		" \n":                         "reminder.txt: the text is empty",
		"{{with .Name}}{{.}}{{end}}x": "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "reminder.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := templates.Load(dir)
		if err == nil {
			err = TryTemplates(set)
		}
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
