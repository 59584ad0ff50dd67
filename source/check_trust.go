package source

import "vext/reminder"

// untrusted checks for files that name repositories and that a user other than
// vext's may have written.
func untrusted(errs []error) []reminder.Finding {
	var findings []reminder.Finding
	for _, err := range errs {
		findings = append(findings, reminder.Finding{
			Level: reminder.Critical, What: "hooks", Text: err.Error(),
			Hint: "if the hook is yours, run vext hook install REPO as root, which rewrites the file; otherwise remove the file, and check who is in the group",
		})
	}
	return findings
}
