package livecopy_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

var journals = []string{"delete", "wal"}

// live makes a database with n rows, and returns a connection to it.
func live(t *testing.T, journal string, n int) (conn *sqlite3.Conn, file string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "live.db")
	conn = connect(t, file)
	run(t, conn, "PRAGMA journal_mode = "+journal)
	run(t, conn, fmt.Sprintf(`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n;
CREATE TABLE written (n INTEGER PRIMARY KEY)`, n))
	return conn, file
}

// changed makes a copy of a database and changes it. It returns what is in it then.
func changed(t *testing.T, conn *sqlite3.Conn) (path, holds string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "copy")
	if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	run(t, connect(t, path), "PRAGMA journal_mode = delete; CREATE TABLE added (a); INSERT INTO added VALUES (1); UPDATE t SET b = b || '!'")
	return path, contents(t, path)
}

// write has somebody write to the file, one row after the other, with longer and
// longer pauses. stop ends that, and returns how many there are.
func write(t *testing.T, file string) (stop func() (written int)) {
	t.Helper()
	conn := connect(t, file)
	run(t, conn, "PRAGMA synchronous = off; PRAGMA busy_timeout = 10000; INSERT INTO written VALUES (1)")
	ended, done := make(chan struct{}), make(chan struct{})
	n := 1
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			default:
			}
			if err := conn.Exec(fmt.Sprintf("INSERT INTO written VALUES (%d)", n+1)); err != nil {
				t.Error(err)
				return
			}
			n++
			time.Sleep(rand.N(time.Duration(n) * time.Millisecond))
		}
	}()
	return func() int {
		close(ended)
		<-done
		return n
	}
}

func connect(t *testing.T, name string) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func run(t *testing.T, conn *sqlite3.Conn, q string) {
	t.Helper()
	if err := conn.Exec(q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// query returns the rows of a query, a line for each.
func query(t *testing.T, conn *sqlite3.Conn, q string) string {
	t.Helper()
	s, _, err := conn.Prepare(q)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return ""
	}
	var b strings.Builder
	for s.Step() {
		for i := range s.ColumnCount() {
			if i > 0 {
				b.WriteString("|")
			}
			b.WriteString(s.ColumnText(i))
		}
		b.WriteString("\n")
	}
	if err := errors.Join(s.Err(), s.Close()); err != nil {
		t.Errorf("%s: %v", q, err)
	}
	return b.String()
}

// contents returns what is in a database.
func contents(t *testing.T, file string) string {
	t.Helper()
	conn := connect(t, file)
	defer conn.Close()
	s := query(t, conn, "PRAGMA integrity_check") + query(t, conn, "SELECT name, sql FROM sqlite_schema ORDER BY name")
	for name := range strings.Lines(query(t, conn, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")) {
		s += name + query(t, conn, "SELECT count(*), * FROM "+strings.TrimSpace(name)+" GROUP BY 2")
	}
	return s
}

// settings returns what is to be seen of the state of a connection.
func settings(t *testing.T, conn *sqlite3.Conn) string {
	t.Helper()
	s := fmt.Sprintf("autocommit %v, interrupted %v\n", conn.GetAutocommit(), conn.GetInterrupt().Err())
	for _, name := range []string{"locking_mode", "busy_timeout", "synchronous", "foreign_keys", "page_size", "cache_size"} {
		s += name + " " + query(t, conn, "PRAGMA "+name)
	}
	return s
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// empty returns the path of an empty file.
func empty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replace replaces the content of a database by that of the one at path, as restoring a
// backup does.
func replace(ctx context.Context, conn *sqlite3.Conn, path string) error {
	lock, err := livecopy.Hold(ctx, conn, path)
	if err != nil {
		return err
	}
	defer lock.Release()
	return lock.Replace(ctx, path)
}
