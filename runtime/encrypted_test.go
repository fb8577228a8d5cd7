package lockstep_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"
	"github.com/ncruces/go-sqlite3/vfs/xts"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
)

var part = regexp.MustCompile(`\.[0-9]+\.`)

// TestBackupOfAnEncryptedDatabase looks at all that is written to any file.
func TestBackupOfAnEncryptedDatabase(t *testing.T) {
	const hexkey = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	w := &watched{texts: []string{"customer ", "CREATE TABLE", "_lockstep_history", "SQLite format 3"}}
	old := contents(t, fileAt(t, shop, 3))

	for name, wrap := range map[string]func(vfs.VFS) vfs.VFS{
		"adiantum": func(base vfs.VFS) vfs.VFS { return adiantum.Wrap(base, nil) },
		"xts":      func(base vfs.VFS) vfs.VFS { return xts.Wrap(base, nil) },
	} {
		in := w.disk(t, wrap)
		parameters := []string{in, "hexkey=" + hexkey}
		for how, settings := range map[string][]string{
			"ByURI":    parameters,
			"ByPragma": {in, "_pragma=hexkey('" + hexkey + "')"},
			"InWAL":    append(slices.Clip(parameters), "_pragma=journal_mode(wal)"),
		} {
			t.Run("IsEncrypted/"+name+how, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "data.db")
				if err := w.upgrade(t, path, settings, lockstep.WithBackup(1, parameters...)); err != nil {
					t.Fatal(err)
				}
				if len(w.seen) > 0 || !w.backup {
					t.Errorf("what was written has %q; a backup was written: %t", w.seen, w.backup)
				}
				backups, err := lockstep.Backups(path)
				if err != nil || len(backups) != 1 {
					t.Fatalf("got %v, %v; want one backup", backups, err)
				}
				if got := contents(t, backups[0].Path, parameters...); got != old {
					t.Errorf("the backup has\n%s\nwant\n%s", got, old)
				}
			})
		}
		t.Run("IsNotMadeWithoutItsKey/"+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			err := w.upgrade(t, path, parameters, lockstep.WithBackup(1))
			if want := path + ": backup failed, still at 0003: if the database is encrypted, give WithBackup the parameters of its URI: unable to open database file"; err == nil || err.Error() != want || len(w.seen) > 0 {
				t.Errorf("got %v, want %s", err, want)
			}
		})
		t.Run("KeepsTheKeyOutOfErrors/"+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			err := w.upgrade(t, path, parameters, lockstep.WithBackup(1, in, "hexkey=5ec2e7"))
			got := part.ReplaceAllString(fmt.Sprint(err), ".N.")
			if want := path + ": backup failed, still at 0003: unable to open database: file:" + path + ".N.backup-part/copy.db"; got != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
		vfs.Unregister("watched")
	}
	t.Run("IsSeenWhereItIsNot", func(t *testing.T) {
		in := w.disk(t, func(base vfs.VFS) vfs.VFS { return base })
		if err := w.upgrade(t, filepath.Join(t.TempDir(), "data.db"), []string{in}, lockstep.WithBackup(1)); err != nil {
			t.Fatal(err)
		}
		if len(w.seen) != len(w.texts) {
			t.Errorf("of a plain database, only %q was seen", w.seen)
		}
	})
}

// watched is what was written to any file of an upgrade.
type watched struct {
	texts  []string // of a plain database
	seen   []string // of them
	backup bool     // it was written
}

// disk makes a VFS of the disk, and returns the parameter of a URI for it.
func (w *watched) disk(t *testing.T, wrap func(vfs.VFS) vfs.VFS) string {
	disk, unregister := faultvfs.Register(t.Name())
	defer unregister() // the VFS that wraps it stays
	disk.Wrote = func(path string, p []byte) {
		w.backup = w.backup || strings.Contains(path, ".backup-part")
		for _, text := range w.texts {
			if bytes.Contains(p, []byte(text)) && !slices.Contains(w.seen, text) {
				w.seen = append(w.seen, text)
			}
		}
	}
	vfs.Register("watched", wrap(disk))
	t.Cleanup(func() { vfs.Unregister("watched") })
	return "vfs=watched"
}

// upgrade makes a database and upgrades it.
func (w *watched) upgrade(t *testing.T, path string, settings []string, opts ...lockstep.Option) error {
	t.Helper()
	db := connect(t, path, settings...)
	defer db.Close()
	w.seen, w.backup = nil, false
	if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 3)); err != nil {
		t.Fatal(err)
	}
	return lockstep.Migrate(t.Context(), db, schema(t, shop, 5), opts...)
}
