package announce

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"strings"
	"time"
	"unicode"

	"go.etcd.io/bbolt"

	"vext/internal/commit"
)

// A SeenStore is what was announced, on disk: a bbolt database, which one process
// at a time can open.
//
//	told/REVISION NUL REPOSITORY NUL BRANCH  when, in seconds: eight bytes, big end first;
//	                                         then 1 where anybody can have written it, else 0;
//	                                         then eight bytes of what it was announced as
//	keys/KEY                                 of a line that the outlet is still to forget
type SeenStore struct{ db *bbolt.DB }

// An identity is by what a commit on a branch is known when it comes again.
type identity struct {
	repository, revision, branch string
	forgeable                    bool   // by the way it came
	subject                      uint64 // a digest; 0 where it is not known
}

// undescribed is the subject of a commit that was counted and not described. It is
// no digest.
const undescribed = 1

// digestSubject returns a digest of the first letters and digits of a subject:
// mailers cut long ones off, and fold them.
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

// identify returns the identity of a commit. One without a revision, or with a
// number that nobody counts, is known by its Message-ID.
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

// abbreviated is how many digits of a hash mailers print that do not print all
// of it.
const abbreviated = 12

// prefix returns what the keys of all commits begin with that can be the same.
func (id *identity) prefix() []byte {
	if len(id.revision) >= abbreviated && commit.IsHex(id.revision) {
		return []byte(id.revision[:abbreviated])
	}
	return []byte(id.revision + "\x00")
}

// isSame reports whether both are one commit on one branch. A mail may not say
// on which.
func (id *identity) isSame(other *identity) bool {
	if id.branch != other.branch && id.branch != "" && other.branch != "" {
		return false
	}
	return id.revision == other.revision && id.repository == other.repository || commit.SameCommit(id.commit(), other.commit())
}

// closes reports whether other is not announced, because id was. What anybody
// can have written is in the way of what nobody can only where it names
// repository and branch, and the same, and was announced with the same subject:
// so a hook behind its mail is not announced, and a mail that names but a
// revision, or says otherwise of the commit, silences no hook.
func (id *identity) closes(other *identity) bool {
	if id.forgeable && !other.forgeable &&
		(id.repository == "" || id.branch == "" || id.repository != other.repository || id.branch != other.branch ||
			id.subject != other.subject && id.subject != 0) {
		return false
	}
	return id.isSame(other)
}

// told returns what is on disk of an identity that was announced at a time.
func (id *identity) told(at time.Time) (value []byte) {
	value = binary.BigEndian.AppendUint64(nil, uint64(max(0, at.Unix())))
	forgeable := byte(0)
	if id.forgeable {
		forgeable = 1
	}
	return binary.BigEndian.AppendUint64(append(value, forgeable), id.subject)
}

// remembered returns the identity that is on disk. One without the byte that
// says how it came is of the time before there was one, and may be anybody's.
func remembered(key, value []byte) (id identity, ok bool) {
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

// knows calls ask with a function that reports whether a commit was announced.
func (m *SeenStore) knows(ask func(was func(*identity) bool)) error {
	return m.db.View(func(tx *bbolt.Tx) error {
		told := tx.Bucket(bucketTold)
		ask(func(id *identity) bool {
			cursor, prefix := told.Cursor(), id.prefix()
			for key, value := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
				if before, ok := remembered(key, value); ok && before.closes(id) {
					return true
				}
			}
			return false
		})
		return nil
	})
}

// remember notes what was announced, and with which keys, before it returns.
func (m *SeenStore) remember(now time.Time, told []identity, keys []string) error {
	return m.db.Update(func(tx *bbolt.Tx) error {
		for i := range told {
			if err := tx.Bucket(bucketTold).Put(told[i].key(), told[i].told(now)); err != nil {
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

// keys returns the keys of lines that the outlet is still to forget.
func (m *SeenStore) keys() (keys []string, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketKeys).ForEach(func(key, _ []byte) error {
			keys = append(keys, string(key))
			return nil
		})
	})
	return keys, err
}

// forgotten notes that the outlet has forgotten keys.
func (m *SeenStore) forgotten(keys []string) error {
	return m.db.Update(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket(bucketKeys).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// expireAtOnce bounds what one transaction deletes.
const expireAtOnce = 10000

// expire forgets what was announced before a time.
func (m *SeenStore) expire(before time.Time) error {
	for {
		var old [][]byte
		err := m.db.View(func(tx *bbolt.Tx) error {
			cursor := tx.Bucket(bucketTold).Cursor()
			for key, at := cursor.First(); key != nil && len(old) < expireAtOnce; key, at = cursor.Next() {
				if len(at) < 8 || int64(binary.BigEndian.Uint64(at)) < before.Unix() {
					old = append(old, bytes.Clone(key))
				}
			}
			return nil
		})
		if err != nil || len(old) == 0 {
			return err
		}
		err = m.db.Update(func(tx *bbolt.Tx) error {
			for _, key := range old {
				if err := tx.Bucket(bucketTold).Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
