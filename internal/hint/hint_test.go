package hint

import (
	"fmt"
	"io/fs"
	"testing"
)

func TestHint(t *testing.T) {
	err := fmt.Errorf("state: %w", Wrap(Wrap(fs.ErrNotExist, "inner"), "make it"))
	if Of(err) != "make it" || err.Error() != "state: file does not exist" {
		t.Errorf("%v: %q", err, Of(err))
	}
	if Wrap(nil, "x") != nil || Of(nil) != "" || Of(fs.ErrNotExist) != "" {
		t.Error("a hint without an error, or an error without a hint")
	}
}
