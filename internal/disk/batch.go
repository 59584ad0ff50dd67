package disk

import (
	"errors"
	"io/fs"
	"os"
)

// A File is what is to be written, and where.
type File struct {
	Path string
	Data []byte
}

// WriteAllNew is WriteNew for many files, which are synced together, and
// without the sync of their directories, which is the caller's. Files that are
// there already are left as they are. It returns how many are new.
func WriteAllNew(tmp string, files []File) (isNew int, err error) {
	names := make([]string, 0, len(files)) // in tmp; "" for one that was moved
	defer func() {
		for _, name := range names {
			if name != "" {
				os.Remove(name)
			}
		}
	}()
	for _, file := range files {
		f, err := create(tmp)
		if err != nil {
			return 0, err
		}
		names = append(names, f.Name())
		_, err = f.Write(file.Data)
		if err = errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
	}
	if err := syncAll(tmp, names); err != nil {
		return 0, err
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
