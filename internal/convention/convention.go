// Package convention knows how projects ask, in their commit messages, for a commit to be
// merged to other branches. Each convention is a table of TOML; those of well-known projects
// are embedded, and a user can write others.
package convention
