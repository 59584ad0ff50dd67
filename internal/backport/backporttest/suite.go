// Package backporttest has what tests of packages that use a backport.Looker share: a
// Looker whose answers a test sets, and the suite that every Looker passes.
package backporttest
