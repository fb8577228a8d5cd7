package livecopy

import (
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// TestUndecided has a replacement fail at its end: what is to be synchronized cannot be
// opened. Whoever keeps what was there before has to know that it can be the last.
func TestUndecided(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("a file that is open cannot be removed")
	}
	dir := t.TempDir()
	database := func(name, statements string) (conn *sqlite3.Conn, path string) {
		path = filepath.Join(dir, name)
		conn, err := sqlite3.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.Exec(statements); err != nil {
			t.Fatal(err)
		}
		return conn, path
	}
	conn, file := database("live.db", "PRAGMA journal_mode = wal; CREATE TABLE old (a)")
	_, path := database("new.db", "CREATE TABLE new (a)")

	lock, err := Hold(t.Context(), conn, path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := errors.Join(os.Remove(file+"-wal"), os.Symlink("live.db-wal", file+"-wal")); err != nil {
		t.Fatal(err)
	}
	err = lock.Replace(t.Context(), path)
	want := "the content may have been replaced: open " + file + "-wal: too many levels of symbolic links"
	if !errors.Is(err, ErrUndecided) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if name, err := text(conn, "SELECT name FROM sqlite_schema"); name != "new" || err != nil {
		t.Errorf("got table %s, %v, want new", name, err)
	}
}

// TestDecided has one fail that SQLite rolls back.
func TestDecided(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			dir := t.TempDir()
			conn, err := sqlite3.Open(filepath.Join(dir, "live.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Exec("PRAGMA journal_mode = " + journal + "; CREATE TABLE old (a)"); err != nil {
				t.Fatal(err)
			}
			witness, err := openFile(filepath.Join(dir, "live.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer witness.Close()
			seen, err := dataVersion(t.Context(), witness)
			if err != nil {
				t.Fatal(err)
			}
			lock := &Lock{witness: witness, seen: seen}
			for _, step := range []struct {
				q    string
				want error
			}{
				{"BEGIN; CREATE TABLE new (a); ROLLBACK", nil},
				{"BEGIN; CREATE TABLE new (a); COMMIT", ErrChanged},
			} {
				if err := conn.Exec(step.q); err != nil {
					t.Fatal(err)
				}
				if got := lock.unchanged(t.Context()); got != step.want {
					t.Errorf("%s: got %v, want %v", step.q, got, step.want)
				}
			}
		})
	}
}
