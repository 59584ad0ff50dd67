package announce

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/store"
)

// A SeenStore records on disk which commits were announced. It is a bbolt database,
// which one process at a time can open.
//
//	told/REVISION NUL REPOSITORY NUL BRANCH  Unix time in seconds, 8 bytes big-endian;
//	                                         then a byte, 1 for a commit that anybody can have forged;
//	                                         then the digest of its subject, 8 bytes big-endian
//	keys/KEY                                 the key of a message, to be removed from the outbox
type SeenStore struct{ db *bbolt.DB }

// An identity recognises a commit on a branch when it comes again.
type identity struct {
	repository, revision, branch string
	forgeable                    bool   // judged by its source
	subject                      uint64 // a digest, 0 when not known
}

// undescribed stands for the subject of a commit that was counted but not described.
// digestSubject never returns it.
const undescribed = 1

// digestSubject returns a digest of the first letters and digits of a subject.
// Mailers fold long subjects and cut them off.
func digestSubject(subject string) uint64 {
	h, n := fnv.New64a(), 0
	for _, r := range subject {
		if n == 24 {
			break
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			h.Write([]byte(string(unicode.ToLower(r))))
			n++
		}
	}
	return max(h.Sum64(), undescribed+1)
}

// identify returns the identity of a commit. One without a key has its Message-ID
// instead of its revision.
func identify(c *commit.Arrival) identity {
	id := identity{c.Repository, c.Revision, c.Branch(), commit.Forgeable(c.Source), digestSubject(c.Subject)}
	if c.Key() == "" {
		id.repository, id.revision, id.branch = "", "mail "+c.ID, ""
	}
	return id
}

func (id *identity) key() []byte {
	return []byte(id.revision + "\x00" + id.repository + "\x00" + id.branch)
}

func (id *identity) commit() string { return commit.MakeKey(id.repository, id.revision) }

// prefix returns the common prefix of the keys of all commits that can be the same.
func (id *identity) prefix() []byte {
	if len(id.revision) >= commit.Abbreviated && commit.IsHex(id.revision) {
		return []byte(id.revision[:commit.Abbreviated])
	}
	return []byte(id.revision + "\x00")
}

// isSame reports whether both are one commit on one branch. A mail may omit the
// branch.
func (id *identity) isSame(other *identity) bool {
	if id.branch != other.branch && id.branch != "" && other.branch != "" {
		return false
	}
	return id.revision == other.revision && id.repository == other.repository || commit.SameCommit(id.commit(), other.commit())
}

// supersedes reports whether other is not announced because id was. A commit that
// anybody can have forged supersedes one from a trusted source only when both name
// the same repository and branch and have the same subject. So a hook after its
// mail is not announced, and a forged mail does not silence a hook.
func (id *identity) supersedes(other *identity) bool {
	if id.forgeable && !other.forgeable &&
		(id.repository == "" || id.branch == "" || id.repository != other.repository || id.branch != other.branch ||
			id.subject != other.subject && id.subject != 0) {
		return false
	}
	return id.isSame(other)
}

// encode returns the stored value of an identity that was announced at a time.
func (id *identity) encode(at time.Time) (value []byte) {
	value = binary.BigEndian.AppendUint64(nil, uint64(max(0, at.Unix())))
	forgeable := byte(0)
	if id.forgeable {
		forgeable = 1
	}
	return binary.BigEndian.AppendUint64(append(value, forgeable), id.subject)
}

// decode returns a stored identity. Older versions stored only the time; such a
// commit counts as forgeable.
func decode(key, value []byte) (id identity, ok bool) {
	parts := strings.SplitN(string(key), "\x00", 3)
	if len(parts) != 3 {
		return id, false
	}
	id = identity{repository: parts[1], revision: parts[0], branch: parts[2], forgeable: len(value) < 9 || value[8] != 0}
	if len(value) >= 17 {
		id.subject = binary.BigEndian.Uint64(value[9:])
	}
	return id, true
}

var bucketTold, bucketKeys = []byte("told"), []byte("keys")

// view calls f, with a function that reports whether a commit was announced.
func (s *SeenStore) view(f func(wasSeen func(*identity) bool)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		seen := tx.Bucket(bucketTold)
		f(func(id *identity) bool {
			cursor, prefix := seen.Cursor(), id.prefix()
			for key, value := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
				if before, ok := decode(key, value); ok && before.supersedes(id) {
					return true
				}
			}
			return false
		})
		return nil
	})
}

// record stores which commits were announced, and the keys of their messages. Both
// are on disk when it returns.
func (s *SeenStore) record(now time.Time, announced []identity, keys []string) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for i := range announced {
			if err := tx.Bucket(bucketTold).Put(announced[i].key(), announced[i].encode(now)); err != nil {
				return err
			}
		}
		for _, key := range keys {
			if err := tx.Bucket(bucketKeys).Put([]byte(key), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// keys returns the keys that are to be removed from the outbox.
func (s *SeenStore) keys() (keys []string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketKeys).ForEach(func(key, _ []byte) error {
			keys = append(keys, string(key))
			return nil
		})
	})
	return keys, err
}

// removeKeys removes keys after the outbox has removed them.
func (s *SeenStore) removeKeys(keys []string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return removeAll(tx.Bucket(bucketKeys), keys) })
}

// maxExpired bounds how many entries one transaction deletes.
const maxExpired = 10000

// expire removes the commits that were announced before a time.
func (s *SeenStore) expire(before time.Time) error {
	for removed := maxExpired; removed == maxExpired; {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			var old [][]byte
			bucket := tx.Bucket(bucketTold)
			cursor := bucket.Cursor()
			for key, at := cursor.First(); key != nil && len(old) < maxExpired; key, at = cursor.Next() {
				if len(at) < 8 || int64(binary.BigEndian.Uint64(at)) < before.Unix() {
					old = append(old, bytes.Clone(key))
				}
			}
			removed = len(old)
			return removeAll(bucket, old)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func removeAll[K string | []byte](bucket *bbolt.Bucket, keys []K) error {
	for _, key := range keys {
		if err := bucket.Delete([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// seenName is the file name of the seen store in the state directory. damagedMark
// follows it in the names of damaged ones. Earlier versions had the others.
const (
	seenName    = "announced.db"
	damagedMark = ".damaged-"

	formerSeenName    = "notices.db"
	formerDamagedMark = ".broken-"
)

// OpenSeenStore opens the seen store of a state directory, and makes it when it does
// not exist. A damaged one is renamed, see DamagedSeenStores, and replaced by an empty
// one: to announce a commit twice is better than not at all.
func OpenSeenStore(state string, now time.Time, log *slog.Logger) (*SeenStore, error) {
	path := filepath.Join(state, seenName)
	err := disk.Rename(filepath.Join(state, formerSeenName), path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	db, err := open(path)
	if errors.Is(err, store.ErrDamaged) {
		renamed, renameErr := store.Quarantine(path, damagedMark, now)
		if renameErr != nil {
			return nil, fmt.Errorf("%s: %w; and it can't be renamed: %w", path, err, renameErr)
		}
		log.Error("announcements: the record of announced commits is damaged; starting an empty one, so a commit may be announced twice", "err", err, "damaged", renamed)
		db, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &SeenStore{db}, nil
}

// DamagedSeenStores returns the paths of the damaged seen stores that were renamed, the
// oldest first.
func DamagedSeenStores(state string) []string {
	return append(store.Quarantined(filepath.Join(state, formerSeenName), formerDamagedMark),
		store.Quarantined(filepath.Join(state, seenName), damagedMark)...)
}

// Close closes the store.
func (s *SeenStore) Close() error { return s.db.Close() }

// open opens a database and checks all of it.
func open(path string) (*bbolt.DB, error) {
	db, err := store.Open(path, disk.FileMode)
	if err != nil {
		return nil, err
	}
	return db, store.Guard(func() error {
		err := db.View(check)
		if err == nil {
			err = db.Update(prepare)
		}
		if err != nil {
			db.Close()
		}
		return err
	})
}

// check reads and looks up every entry, under store.Guard, which catches faults.
// Then bbolt checks its pages, which it does in a goroutine of its own.
func check(tx *bbolt.Tx) error {
	err := checkEntries(tx.Bucket(bucketTold), func(key, value []byte) bool {
		_, ok := decode(key, value)
		return ok && len(value) >= 8
	})
	if err == nil {
		err = checkEntries(tx.Bucket(bucketKeys), func(key, _ []byte) bool { return utf8.Valid(key) })
	}
	if err == nil {
		for wrong := range tx.Check(bbolt.WithKVStringer(unread{})) { // the channel has to be drained
			err = cmp.Or(err, wrong)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

// checkEntries returns an error for an entry that is wrong, or that a lookup does not
// find. A missing bucket was not made yet.
func checkEntries(bucket *bbolt.Bucket, isRight func(key, value []byte) bool) error {
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(key, value []byte) error {
		if !isRight(key, value) || bucket.Get(key) == nil {
			return errors.New("a wrong entry")
		}
		return nil
	})
}

// unread names keys without reading them: they may be outside of the file.
type unread struct{}

func (unread) KeyToString([]byte) string   { return "a key" }
func (unread) ValueToString([]byte) string { return "a value" }

func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketTold, bucketKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}
