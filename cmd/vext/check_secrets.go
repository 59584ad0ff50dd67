package main

import (
	"fmt"

	"vext/internal/config"
	"vext/reminder"
)

// checkSecrets looks for secrets that every user of the machine can read. It does
// not report a missing file: the check that needs the file does.
func checkSecrets(c *config.Config) []reminder.Finding {
	var findings []reminder.Finding
	for _, f := range c.SecretFiles() {
		path, open, err := f.ForOthers()
		if err != nil || !open {
			continue
		}
		findings = append(findings, reminder.Finding{
			Level: reminder.Warning, What: "secrets",
			Text: fmt.Sprintf("every user of this machine can read or change %s (%s)", path, f.String()),
			Hint: "chmod o-rwx " + path + "; the user that vext runs as must be able to read it: chgrp",
		})
	}
	return findings
}
