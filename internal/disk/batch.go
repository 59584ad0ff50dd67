package disk

import (
	"errors"
	"io/fs"
	"os"
)

// A File is the content for a path.
type File struct {
	Path string
	Data []byte
}

// few is how many files are faster to sync one by one.
const few = 4

// WriteAllNew is WriteNew for many files, which it syncs together. It leaves files that
// exist as they are, and returns how many are new. The caller syncs the directories.
func WriteAllNew(tmp string, files []File) (isNew int, err error) {
	names := make([]string, 0, len(files)) // in tmp; "" once moved
	defer func() {
		for _, name := range names {
			if name != "" {
				os.Remove(name)
			}
		}
	}()
	for _, file := range files {
		name, err := writeTmp(tmp, file.Data, len(files) <= few)
		if err != nil {
			return 0, err
		}
		names = append(names, name)
	}
	if len(files) > few {
		if err := syncAll(tmp, names); err != nil {
			return 0, err
		}
	}
	for i, file := range files {
		err := Rename(names[i], file.Path)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return isNew, err
		}
		names[i] = ""
		isNew++
	}
	return isNew, nil
}

// syncEach syncs one file after another.
func syncEach(names []string) error {
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
