package database_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// listing returns the names of the files in the folder of a database, with "T" for times.
func listing(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		fields := strings.Split(e.Name(), ".")
		for i, field := range fields {
			if _, err := time.Parse("20060102T150405Z", field); err == nil {
				fields[i] = "T"
			}
		}
		names = append(names, strings.Join(fields, "."))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpenKeepsWhatIsPrivate(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("there are no permissions")
	}
	for _, test := range []struct {
		journal string
		mode    fs.FileMode
		made    []string
	}{
		{"delete", 0o600, []string{"-journal"}},
		{"wal", 0o600, []string{"-wal", "-shm"}},
		{"wal", 0o640, []string{"-wal", "-shm"}},
		{"wal", 0o644, []string{"-wal", "-shm"}},
	} {
		t.Run(fmt.Sprintf("InFilesOfAModeLike%o/%s", test.mode, test.journal), func(t *testing.T) {
			path := account(t, test.journal)
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			db, err := database.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, stmt := range []string{"BEGIN IMMEDIATE", "PRAGMA cache_size = 1", "UPDATE ballast SET i = i + 1"} {
				if _, err := conn.ExecContext(t.Context(), stmt); err != nil {
					t.Fatal(err)
				}
			}
			for _, suffix := range test.made {
				if got := mode(t, path+suffix); got != test.mode {
					t.Errorf("%s has mode %o", suffix, got)
				}
			}
			conn.Close()
			db.Close()
			other := filepath.Join(t.TempDir(), "other")
			if err := os.WriteFile(other, nil, 0o644); err != nil || mode(t, other) != 0o644 {
				t.Errorf("afterwards a file has mode %o, %v", mode(t, other), err)
			}
		})
	}
}

func TestBackupRemovesWhatDeadProcessesLeft(t *testing.T) {
	path := account(t, "delete")
	dead := path + ".1.backup-part"
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"copy.db", "copy.db-journal"} {
		if err := os.WriteFile(filepath.Join(dead, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	living, remove, err := diskfile.MakePart(filepath.Join(filepath.Dir(path), "living"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(living, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backUp(t.Context(), path, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(living); err != nil {
		t.Error(err)
	}
	remove()
	if got, want := listing(t, path), "data.db data.db.T.backup"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// damaged makes a database that is none, with files that belong to it, and a backup that
// everybody may read.
func damaged(t *testing.T) (path, backup string) {
	t.Helper()
	good := account(t, "delete")
	backup = good + ".backup"
	if _, err := backUp(t.Context(), good, backup); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(backup, 0o644); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, backup
}

// left gives a database the write-ahead log that another program left of it, and returns
// what is in that.
func left(t *testing.T, path string) string {
	t.Helper()
	from := account(t, "wal")
	db := openOther(t, from)
	if _, err := db.Exec("UPDATE a SET balance = 666"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from + "-wal")
	if err == nil {
		err = os.WriteFile(path+"-wal", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func force(t *testing.T, path, backup string) (*database.Restored, error) {
	return database.Restore(t.Context(), database.Restoration{DB: path, Backup: backup, Force: true, Timeout: time.Minute})
}

func TestRestoreByForce(t *testing.T) {
	t.Run("PutsAllThatBelongsToADamagedFileAside", func(t *testing.T) {
		path, backup := damaged(t)
		wal := left(t, path)
		restored, err := force(t, path, backup)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := listing(t, path), "data.db data.db.T.damaged data.db.T.damaged-shm data.db.T.damaged-wal"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if text, err := os.ReadFile(restored.Aside + "-wal"); err != nil || string(text) != wal {
			t.Errorf("the write-ahead log is another, or %v", err)
		}
		db := openOther(t, path)
		var ok string
		if err := db.QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
			t.Errorf("got %s, %v", ok, err)
		}
		if sum, _, err := balances(db); err != nil || sum != 100 {
			t.Errorf("got the sum %d, %v", sum, err)
		}
		if os.PathSeparator == '/' && mode(t, path) != 0o600 {
			t.Errorf("what was private has mode %o", mode(t, path))
		}
	})
	t.Run("HasADatabaseAtEachMoment", func(t *testing.T) {
		path, backup := damaged(t)
		stop := make(chan struct{})
		var watcher sync.WaitGroup
		watcher.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 5 {
			if _, err := force(t, path, backup); err != nil {
				t.Error(err)
				break
			}
			aside, _ := filepath.Glob(path + ".*")
			for _, name := range aside {
				os.Remove(name)
			}
			if err := os.WriteFile(path+".new", []byte("not a database"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		watcher.Wait()
	})
	t.Run("LeavesAllAsItWasIfItFails", func(t *testing.T) {
		path, backup := damaged(t)
		if err := os.MkdirAll(path+"-shm/in the way", 0o700); err != nil {
			t.Fatal(err)
		}
		before, want := listing(t, path), path+": not restored: "
		_, err := force(t, path, backup)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
		if got := listing(t, path); got != before {
			t.Errorf("got %s, want %s", got, before)
		}
	})
}

func TestRestoreOnlyReadsTheBackup(t *testing.T) {
	path, backup := account(t, "delete"), account(t, "delete")
	runOn(t, backup, "PRAGMA journal_mode = wal")
	db := openOther(t, backup)
	if _, err := db.Exec("UPDATE a SET balance = 400"); err != nil {
		t.Fatal(err)
	}
	var before [2][]byte
	copied := filepath.Join(t.TempDir(), "copied")
	for i, suffix := range []string{"", "-wal"} { // as a copy of the files has them
		text, err := os.ReadFile(backup + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		before[i] = text
	}
	if _, err := force(t, path, copied); err != nil {
		t.Fatal(err)
	}
	if sum, _, err := balances(openOther(t, path)); err != nil || sum != 450 {
		t.Errorf("got the sum %d, %v", sum, err)
	}
	for i, suffix := range []string{"", "-wal"} {
		if text, err := os.ReadFile(copied + suffix); err != nil || !bytes.Equal(text, before[i]) {
			t.Errorf("copied%s is another, or %v", suffix, err)
		}
	}
}

func TestRestoreOfADatabaseThatDoesNotExist(t *testing.T) {
	t.Run("HasThePermissionsOfTheBackup", func(t *testing.T) {
		_, backup := damaged(t)
		if err := os.Chmod(backup, 0o640); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "new.db")
		if _, err := force(t, path, backup); err != nil {
			t.Fatal(err)
		}
		if os.PathSeparator == '/' && mode(t, path) != 0o640 {
			t.Errorf("got mode %o", mode(t, path))
		}
		if got := listing(t, path); got != "new.db" {
			t.Errorf("got %s", got)
		}
	})
	for _, suffix := range []string{"-journal", "-wal", "-shm"} {
		t.Run("IsRefusedBeside"+suffix, func(t *testing.T) {
			_, backup := damaged(t)
			path := filepath.Join(t.TempDir(), "new.db")
			if err := os.WriteFile(path+suffix, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := force(t, path, backup)
			if want := path + suffix + ": belongs to a database that does not exist; move it away"; fmt.Sprint(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it was created, or %v", err)
			}
		})
	}
}
