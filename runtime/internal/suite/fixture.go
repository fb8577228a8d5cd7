package suite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// A test is a claim about a database file.
type test struct {
	*testing.T
	driver Driver
	path   string // of the file, which is not there yet
}

func newTest(t *testing.T, d Driver) *test {
	dir, err := filepath.EvalSymlinks(t.TempDir()) // SQLite names files so
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data.db")
	if d.Server {
		path = fmt.Sprintf("data%d.db", served.Add(1)) // dqlite fails to write with long names
	}
	return &test{t, d, path}
}

// served counts the databases of servers.
var served atomic.Int64

// claim runs a subtest with a file of its own.
func (t *test) claim(name string, f func(t *test)) {
	t.T.Helper()
	t.Run(name, func(tt *testing.T) {
		t.driver.skip(tt, name)
		f(newTest(tt, t.driver))
	})
}

// notes are the migrations that most tests run.
const notes = `
-- 0001-notes.sql --
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
INSERT INTO notes (title) VALUES ('first'), ('second');
-- 0002-tags.sql --
CREATE TABLE tags (
	note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
	tag TEXT NOT NULL CHECK (tag <> ''),
	PRIMARY KEY (note, tag)
);
INSERT INTO tags VALUES (1, 'a'), (1, 'b'), (2, 'c');
-- 0003-index-tags.sql --
CREATE INDEX tags_by_tag ON tags (tag);
CREATE TRIGGER lower_tags AFTER INSERT ON tags BEGIN
	UPDATE tags SET tag = CASE tag WHEN 'A;' THEN 'a;' ELSE lower(tag) END WHERE note = new.note AND tag = new.tag;
END;
-- 0004-rebuild-notes.sql --
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE notes_new (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (title <> ';'), body TEXT);
INSERT INTO notes_new (id, title) SELECT id, title FROM notes;
DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;
COMMIT;
PRAGMA foreign_keys = ON;
-- 0005-fill-bodies.sql --
INSERT INTO notes (title) VALUES ('third');
UPDATE notes SET body = 'about ' || title;
-- 0006-list-notes.sql --
CREATE VIEW list AS SELECT title, count(tag) AS tags FROM notes LEFT JOIN tags ON note = id GROUP BY id;
`

// upTo returns the first n files of a txtar archive.
func upTo(n int, archive string) string {
	a := txtar.Parse([]byte(archive))
	a.Files = a.Files[:n]
	return string(txtar.Format(a))
}

// with returns the archive with other contents of one file.
func with(archive, file, text string) string {
	a := txtar.Parse([]byte(archive))
	for i := range a.Files {
		if a.Files[i].Name == file {
			a.Files[i].Data = []byte(text)
		}
	}
	return string(txtar.Format(a))
}

// schema returns the schema of a program that has these migrations.
func (t *test) schema(archive string) *lockstep.Schema {
	t.Helper()
	return t.schemaOf(files(archive))
}

func (t *test) schemaOf(files map[string]string) *lockstep.Schema {
	t.Helper()
	embedded := fstest.MapFS{}
	for name, text := range files {
		embedded[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fixture.Schema(t.T, cmp.Or(t.driver.Replay, t.driver.Name), embedded)
}

func files(archive string) map[string]string {
	files := make(map[string]string)
	for _, f := range txtar.Parse([]byte(archive)).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// open opens a pool on the file.
func (t *test) open(s Settings) *sql.DB {
	t.Helper()
	return t.openDSN(t.driver.DSN(t.path, s))
}

func (t *test) openDSN(dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(t.driver.Name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// exec executes statements on the file, on a connection of their own.
func (t *test) exec(statements ...string) {
	t.Helper()
	db := t.open(Settings{})
	defer db.Close()
	t.execOn(db, statements...)
}

// journal gives the file a journal mode. That of a server is WAL, which nothing changes.
func (t *test) journal(mode string) {
	t.Helper()
	if t.driver.Server && mode != "wal" {
		t.Skip("WAL mode only")
	} else if !t.driver.Server {
		t.exec("PRAGMA journal_mode = " + mode)
	}
}

// execOn executes statements on one connection of the pool.
func (t *test) execOn(db *sql.DB, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, q := range statements {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// migrate brings the file to the version of the archive.
func (t *test) migrate(archive string, opts ...lockstep.Option) {
	t.Helper()
	db := t.open(Settings{})
	defer db.Close()
	if err := lockstep.Migrate(t.Context(), db, t.schema(archive), opts...); err != nil {
		t.Fatal(err)
	}
}

// atHead fails the test unless the file is at exactly what s expects.
func (t *test) atHead(s *lockstep.Schema) {
	t.Helper()
	db := t.open(Settings{ReadOnly: true})
	defer db.Close()
	if err := lockstep.Check(t.Context(), db, s); err != nil {
		t.Errorf("after the upgrade: %v", err)
	}
}

// refuses calls Check and Migrate on the file, and fails the test unless both
// return the same error of this kind and text and write nothing.
func (t *test) refuses(s *lockstep.Schema, kind error, want string, opts ...lockstep.Option) *lockstep.Error {
	t.Helper()
	db := t.open(Settings{})
	defer db.Close()
	before := t.bytes()
	t.isRefusal(lockstep.Check(t.Context(), db, s, opts...), kind, want)
	err := lockstep.Migrate(t.Context(), db, s, opts...)
	e := t.isRefusal(err, kind, want)
	db.Close()
	t.untouched(before)
	return e
}

// isRefusal fails the test unless err is of this kind and says what is wanted.
func (t *test) isRefusal(err, kind error, want string) *lockstep.Error {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got error of another kind than %q", kind)
	}
	t.says(err, want)
	var e *lockstep.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T, want *lockstep.Error", err)
	}
	return e
}

// says fails the test unless err has this text, in which the file is data.db and what
// changes from run to run is "…".
func (t *test) says(err error, want string) {
	t.Helper()
	if got := t.text(err); got != want {
		t.Errorf("got error\n%s\nwant\n%s", got, want)
	}
}

// unnamed returns the text of an error that a driver may find when it connects.
func (t *test) unnamed(text string) string {
	if t.driver.ReadsOnConnect {
		return strings.TrimPrefix(text, "data.db: ")
	}
	return text
}

func (t *test) text(err error) string {
	text := strings.ReplaceAll(fmt.Sprint(err), t.path, "data.db")
	text = digests.ReplaceAllString(text, "d1:…")
	return durations.ReplaceAllString(text, "for …")
}

var (
	digests   = regexp.MustCompile(`\bd1:[0-9a-f]{32}\b`)
	durations = regexp.MustCompile(`\bfor [0-9.]+(ms|s)\b`)
)

// bytes returns the bytes of the file, or what a server has of it.
func (t *test) bytes() string {
	t.Helper()
	if t.driver.Server {
		return t.state()
	}
	b, err := os.ReadFile(t.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// untouched fails the test unless the file has these bytes.
func (t *test) untouched(bytes string) {
	t.Helper()
	if t.bytes() != bytes {
		t.Error("the file was written to")
	}
}

// restore writes the file.
func (t *test) restore(bytes string) {
	t.Helper()
	if err := os.WriteFile(t.path, []byte(bytes), 0o666); err != nil {
		t.Fatal(err)
	}
}

// state returns all that the file holds except times and the schema cookie.
func (t *test) state() string {
	t.Helper()
	db := t.open(Settings{ReadOnly: true})
	defer db.Close()
	var b strings.Builder
	var tables []string
	for _, row := range t.rows(db, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name") {
		typ, rest, _ := strings.Cut(row, "|")
		name, _, _ := strings.Cut(rest, "|")
		if typ == "table" {
			tables = append(tables, name)
		}
		b.WriteString(row + "\n")
	}
	for _, table := range tables {
		columns := "*"
		if table == "_lockstep_history" {
			columns = "version, file, checksum, program, digest, fingerprint, cookie IS NULL"
		}
		for _, row := range t.rows(db, "SELECT "+columns+" FROM "+table) {
			b.WriteString(table + ": " + row + "\n")
		}
	}
	return b.String()
}

// rows returns the rows of a query, the values separated by "|".
func (t *test) rows(db *sql.DB, q string) []string {
	t.Helper()
	rows, err := sqlite.Lines(db.QueryContext(t.Context(), q))
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return rows
}

// query returns the rows of a query on the file, one a line.
func (t *test) query(q string) string {
	t.Helper()
	db := t.open(Settings{})
	defer db.Close()
	return strings.Join(t.rows(db, q), "\n")
}

// same fails the test unless two texts are the same.
func (t *test) same(what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

// poolSize is how many connections a pool has whose connections are examined one by one.
const poolSize = 3

// pool opens a pool and all of its connections.
func (t *test) pool(s Settings) *sql.DB {
	t.Helper()
	db := t.open(s)
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	t.settings(db)
	return db
}

// settings returns, for each connection of a pool, the settings that migrations can change.
// It fails the test if a transaction is open on one.
func (t *test) settings(db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range poolSize {
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, pragma := range []string{
			"foreign_keys", "defer_foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints",
			"writable_schema", "busy_timeout", "locking_mode", "query_only",
		} {
			var value string
			if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
				t.Fatal(err)
			}
			b.WriteString(pragma + "=" + value + " ")
		}
		b.WriteByte('\n')
		for _, q := range []string{"BEGIN", "ROLLBACK"} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				t.Errorf("a transaction is open on a connection of the pool: %v", err)
			}
		}
	}
	return b.String()
}
