package gohost

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/lockstep-db/lockstep/gen/gohost/internal/mattnsqlite"
	"github.com/lockstep-db/lockstep/runtime"
)

// TestMain makes of the test binary what the generator has the go command build.
func TestMain(m *testing.M) {
	switch os.Getenv("GOHOST_TEST") {
	case "child":
		fmt.Println("printed before main of the child")
		Serve(migrations())
	case "parent":
		parent()
	case "unready":
		fmt.Fprintln(os.Stderr, "no such package")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

// A function is what a migration of the child does. Their names stand for versions.
type function func(context.Context, lockstep.Tx) error

var functions = []struct {
	name string
	run  function
}{
	{"ReturnsValues", returnsValues},
	{"RowsInterleaved", rowsInterleaved},
	{"ManyRows", manyRows},
	{"NamedAndPrepared", namedAndPrepared},
	{"ColumnTypes", columnTypesOf},
	{"Constraint", constraint},
	{"Wrapped", wrapped},
	{"Own", func(context.Context, lockstep.Tx) error { return errors.New("not today") }},
	{"Panics", func(context.Context, lockstep.Tx) error { return index(nil) }},
	{"Goexit", func(context.Context, lockstep.Tx) error { runtime.Goexit(); return nil }},
	{"Exits", func(context.Context, lockstep.Tx) error { os.Exit(0); return nil }},
	{"Fatal", func(context.Context, lockstep.Tx) error {
		log.New(os.Stdout, "", 0).Fatal("not\nwithout configuration")
		return nil
	}},
	{"Crashes", func(context.Context, lockstep.Tx) error { go func() { panic("boom") }(); select {} }},
	{"Hangs", hangs},
	{"Deadline", deadline},
	{"Obeys", func(ctx context.Context, _ lockstep.Tx) error { <-ctx.Done(); return ctx.Err() }},
	{"Prints", prints},
	{"LeavesOpen", leavesOpen},
	{"Unknown", func(ctx context.Context, tx lockstep.Tx) error {
		_, err := tx.ExecContext(ctx, "SELECT ?", make(chan int))
		return err
	}},
}

func migrations() *lockstep.Schema {
	s := &lockstep.Schema{}
	for i, f := range functions {
		s.Migrations = append(s.Migrations, lockstep.Migration{Version: lockstep.Version(i + 1), File: "gohost_test.go", Program: lockstep.Go(f.run)})
	}
	return s
}

func version(t testing.TB, name string) lockstep.Version {
	for i, f := range functions {
		if f.name == name {
			return lockstep.Version(i + 1)
		}
	}
	t.Fatal("no function", name)
	return 0
}

// values are of every type that a database can have, with those that package gob
// would lose.
var values = []any{
	nil, int64(0), int64(-1 << 63), int64(1<<63 - 1), 0.0, 0.1, -1e300, "", "a\x00b\xff", []byte{}, []byte("\x00\x01"),
	time.Date(2026, 11, 23, 10, 20, 30, 123456789, time.FixedZone("", 3600)), true, false,
}

func returnsValues(ctx context.Context, tx lockstep.Tx) error {
	for i, v := range values {
		res, err := tx.ExecContext(ctx, "INSERT INTO v(id, a, t) VALUES (?, ?, typeof(?2))", i+1, v)
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("rows affected: %d, %v", n, err)
		}
		if err != nil || id != int64(i+1) {
			return fmt.Errorf("last insert id: %d, %v", id, err)
		}
		var back, typ any
		if err := tx.QueryRowContext(ctx, "SELECT a, t FROM v WHERE id = ?", i+1).Scan(&back, &typ); err != nil {
			return err
		}
		want, types := v, map[string]string{"bool": "integer", "int64": "integer", "float64": "real", "string": "text", "[]uint8": "blob", "time.Time": "text", "<nil>": "null"}
		switch v {
		case true:
			want = int64(1)
		case false:
			want = int64(0)
		}
		if at, ok := v.(time.Time); ok {
			if got, ok := back.(time.Time); !ok || !got.Equal(at) {
				return fmt.Errorf("got %#v; want %v", back, at)
			}
		} else if !reflect.DeepEqual(back, want) {
			return fmt.Errorf("got %#v; want %#v", back, want)
		}
		if want := types[fmt.Sprintf("%T", v)]; typ != want {
			return fmt.Errorf("%#v is %s; want %s", v, typ, want)
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT 1 WHERE 0").Scan(new(int)); err != sql.ErrNoRows {
		return fmt.Errorf("got %v; want %v", err, sql.ErrNoRows)
	}
	var twice int
	if err := tx.QueryRowContext(ctx, "SELECT twice(21)").Scan(&twice); err != nil || twice != 42 {
		return fmt.Errorf("twice(21) is %d, %v", twice, err)
	}
	_, asserts := any(tx).(interface{ Close() error })
	if asserts {
		return errors.New("the Tx can be closed")
	}
	return nil
}

// rowsInterleaved writes between two rows what the next row has to show.
func rowsInterleaved(ctx context.Context, tx lockstep.Tx) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO v(id, a) VALUES (1, 0), (2, 0), (3, 0)"); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, a FROM v ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	var got []int
	for rows.Next() {
		var id, a int
		if err := rows.Scan(&id, &a); err != nil {
			return err
		}
		got = append(got, a)
		if _, err := tx.ExecContext(ctx, "UPDATE v SET a = a + ?1 WHERE id > ?1", id); err != nil {
			return err
		}
	}
	if want := []int{0, 1, 3}; !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %v; want %v", got, want)
	}
	return rows.Err()
}

func manyRows(ctx context.Context, tx lockstep.Tx) error {
	rows, err := tx.QueryContext(ctx, `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)
		SELECT i, hex(zeroblob(i % 100)) FROM c`)
	if err != nil {
		return err
	}
	defer rows.Close()
	want := 0
	for rows.Next() {
		want++
		var i int
		var text string
		if err := rows.Scan(&i, &text); err != nil {
			return err
		}
		if i != want || len(text) != 2*(i%100) {
			return fmt.Errorf("got row %d with %d bytes; want %d", i, len(text), want)
		}
	}
	if want != 5000 {
		return fmt.Errorf("got %d rows, %v", want, rows.Err())
	}
	return rows.Err()
}

func namedAndPrepared(ctx context.Context, tx lockstep.Tx) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO v(id, a) VALUES (:id, $a)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range 3 {
		if _, err := insert.ExecContext(ctx, sql.Named("a", "x"), sql.Named("id", i)); err != nil {
			return err
		}
	}
	count, err := tx.PrepareContext(ctx, "SELECT count(*), min(a) FROM v WHERE id > ?")
	if err != nil {
		return err
	}
	var n int
	var a string
	if err := count.QueryRowContext(ctx, 0).Scan(&n, &a); err != nil || n != 2 || a != "x" {
		return fmt.Errorf("got %d, %q, %v", n, a, err)
	}
	if _, err := count.QueryContext(ctx); err == nil {
		return errors.New("an argument is missing, and nobody minds")
	}
	if err := count.Close(); err != nil {
		return err
	}
	if _, err := count.QueryContext(ctx, 0); err == nil {
		return errors.New("the statement is closed, and nobody minds")
	}
	return nil
}

func columnTypesOf(ctx context.Context, tx lockstep.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT at, n, a FROM typed")
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	var got []string
	for _, c := range types {
		nullable, ok := c.Nullable()
		got = append(got, fmt.Sprint(c.Name(), " ", c.DatabaseTypeName(), " ", c.ScanType(), " ", nullable, " ", ok))
	}
	if want := []string{"at DATETIME time.Time false true", "n INTEGER int64 false true", "a  interface {} true false"}; !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got  %q; want %q", got, want)
	}
	rows.Next()
	var at any
	if err := rows.Scan(&at, new(any), new(any)); err != nil {
		return err
	}
	if want := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC); at != want {
		return fmt.Errorf("got %#v; want %v", at, want)
	}
	return nil
}

func constraint(ctx context.Context, tx lockstep.Tx) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO typed(n) VALUES (1)")
	if !errors.Is(err, sqlite3.CONSTRAINT) || !errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.BUSY) {
		return errors.New("errors.Is does not tell what it is")
	}
	if errors.Is(err, syscall.Errno(19)) || errors.Is(err, context.Canceled) {
		return errors.New("errors.Is finds what it is not")
	}
	var code sqlite3.ErrorCode
	var extended sqlite3.ExtendedErrorCode
	if !errors.As(err, &code) || code != sqlite3.CONSTRAINT || !errors.As(err, &extended) || extended != sqlite3.CONSTRAINT_UNIQUE {
		return fmt.Errorf("errors.As finds %d, %d", code, extended)
	}
	var mattn mattnsqlite.Error
	if !errors.As(err, &mattn) || mattn.Code != mattnsqlite.ErrConstraint || mattn.ExtendedCode != mattnsqlite.ErrConstraintUnique || !errors.Is(err, mattn.ExtendedCode) {
		return fmt.Errorf("errors.As finds %#v", mattn)
	}
	if other := (*os.PathError)(nil); errors.As(err, &other) {
		return errors.New("errors.As finds what it is not")
	}
	return err
}

func wrapped(ctx context.Context, tx lockstep.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT abs(-9223372036854775808)")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		return errors.New("there is a row")
	}
	return fmt.Errorf("abs: %w", rows.Err())
}

func index(list []int) error { return fmt.Errorf("%d", list[7]) }

func hangs(ctx context.Context, tx lockstep.Tx) error {
	if runtime.GOOS != "windows" {
		sleep := exec.Command("sleep", "1000")
		if err := sleep.Start(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO pids(pid) VALUES (?)", sleep.Process.Pid); err != nil {
			return err
		}
	}
	for i := 0; ; i++ {
		_ = i
	}
}

// deadline has a context of its own, which ends while SQLite is at work.
func deadline(ctx context.Context, tx lockstep.Tx) error {
	short, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	const forever = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"
	err := tx.QueryRowContext(short, forever).Scan(new(int))
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the query: %v", err)
	}
	short, stop = context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	if _, err = tx.ExecContext(short, "CREATE TABLE x AS "+forever); err == nil {
		return errors.New("no error")
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO v(id) VALUES (77)")
	return err
}

func prints(context.Context, lockstep.Tx) error {
	fmt.Println("to standard output")
	fmt.Fprintln(os.Stderr, "to standard error")
	if text, err := io.ReadAll(os.Stdin); err != nil || len(text) > 0 {
		return fmt.Errorf("standard input has %q, %v", text, err)
	}
	if dir, err := os.Getwd(); err != nil || filepath.Base(dir) != "gohost" {
		return fmt.Errorf("folder is %s, %v", dir, err)
	}
	return nil
}

func leavesOpen(ctx context.Context, tx lockstep.Tx) error {
	if _, err := tx.QueryContext(ctx, "SELECT 1 UNION SELECT 2"); err != nil {
		return err
	}
	_, err := tx.PrepareContext(ctx, "SELECT * FROM v")
	return err
}

func TestFunc(t *testing.T) {
	tests := []struct {
		name, want string
		line       string // of this file, to which the error points
		code       error
		ends       bool // the process
	}{
		{name: "ReturnsValues"},
		{name: "RowsInterleaved"},
		{name: "ManyRows"},
		{name: "NamedAndPrepared"},
		{name: "ColumnTypes"},
		{name: "Constraint", want: "sqlite3: constraint failed: UNIQUE constraint failed: typed.n", line: "INSERT INTO typed(n) VALUES (1)", code: sqlite3.CONSTRAINT},
		{name: "Wrapped", want: "abs: sqlite3: SQL logic error: integer overflow", line: "SELECT abs(", code: sqlite3.ERROR},
		{name: "Own", want: "not today"},
		{name: "Panics", want: "panic: runtime error: index out of range [7] with length 0", line: "list[7])"},
		{name: "Goexit", want: "runtime.Goexit was called"},
		{name: "Deadline"},
		{name: "LeavesOpen"},
		{name: "Unknown", want: "sql: converting argument $1 type: unsupported type chan int, a chan"},
		{name: "Exits", want: "it ended the process in which it ran, as os.Exit does", ends: true},
		{name: "Fatal", want: "it ended the process in which it ran, as os.Exit does: exit status 1: without configuration", ends: true},
		{name: "Crashes", want: "a goroutine of it ended the process in which it ran: exit status 2: panic: boom", ends: true},
	}
	source, err := os.ReadFile("gohost_test.go")
	if err != nil {
		t.Fatal(err)
	}
	shared := start(t, nil, "child")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := shared
			if test.ends {
				p = start(t, nil, "child")
			}
			conn := database(t)
			err := p.Func(version(t, test.name))(t.Context(), conn)
			if got := textOf(err); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if test.line != "" {
				before, _, _ := strings.Cut(string(source), test.line)
				e := (*Error)(nil)
				if want := strings.Count(before, "\n") + 1; !errors.As(err, &e) || e.Line != want {
					t.Errorf("got %#v; want line %d", e, want)
				}
			}
			if test.code != nil && !errors.Is(err, test.code) {
				t.Errorf("got %#v, which is not %v", err, test.code)
			}
			if test.ends {
				err := p.Func(1)(t.Context(), conn)
				if got, want := textOf(err), "the program that runs the Go migrations has ended"; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				return
			}
			if _, err := conn.ExecContext(t.Context(), "DROP TABLE v"); err != nil {
				t.Errorf("something is still open: %v", err)
			}
		})
	}
	t.Run("NoSuchMigration", func(t *testing.T) {
		err := shared.Func(99)(t.Context(), database(t))
		if got, want := textOf(err), "the program has no Go migration 0099"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestContextThatEnds(t *testing.T) {
	t.Run("IsObeyed", func(t *testing.T) {
		p := start(t, nil, "child")
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, stop)
		err := p.Func(version(t, "Obeys"))(ctx, database(t))
		if got, want := textOf(err), "context canceled"; got != want || !errors.Is(err, context.Canceled) {
			t.Errorf("got %s; want %s", got, want)
		}
		if err := p.Func(version(t, "ManyRows"))(t.Context(), database(t)); err != nil {
			t.Error("afterwards:", err)
		}
	})
	t.Run("EndsTheChild", func(t *testing.T) {
		p := start(t, nil, "child")
		ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer stop()
		conn := database(t)
		err := p.Func(version(t, "Hangs"))(ctx, conn)
		if got, want := textOf(err), "context deadline exceeded; the migration did not return within 2s, and its process was ended"; got != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		gone(t, p.pid)
		gone(t, pid(t, conn))
	})
}

func TestClose(t *testing.T) {
	t.Run("EndsAMigrationThatRuns", func(t *testing.T) {
		p := start(t, nil, "child")
		conn := database(t)
		returned := make(chan error)
		go func() { returned <- p.Func(version(t, "Hangs"))(t.Context(), conn) }()
		sleeper := pid(t, conn)
		p.Close()
		if got, want := textOf(<-returned), "the process that runs the Go migrations is closed"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		gone(t, p.pid)
		gone(t, sleeper)
	})
	t.Run("MayBeCalledTwice", func(t *testing.T) {
		p := start(t, nil, "child")
		p.Close()
		p.Close()
		if err := p.Func(1)(t.Context(), database(t)); err == nil {
			t.Error("a migration ran")
		}
	})
	t.Run("DoesNotWaitForAStart", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("needs sleep")
		}
		p, err := Start(exec.Command("sleep", "1000"), nil, nil)
		if err == nil {
			p.Close() // sleep minds its arguments, or the signal
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestOutput(t *testing.T) {
	var b bytes.Buffer
	p := start(t, &b, "child")
	if err := p.Func(version(t, "Prints"))(t.Context(), database(t)); err != nil {
		t.Error(err)
	}
	p.Close()
	if got, want := b.String(), "to standard output\nto standard error\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestStartError(t *testing.T) {
	p := start(t, nil, "unready")
	err := p.Func(1)(t.Context(), database(t))
	e := (*StartError)(nil)
	if !errors.As(err, &e) || e.Output != "no such package" || textOf(e.Err) != "exit status 3" {
		t.Errorf("got %#v", err)
	}
}

// TestParentDies kills a parent whose child hangs in a migration.
func TestParentDies(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs sleep")
	}
	file := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GOHOST_TEST=parent", "GOHOST_FILE="+file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []string
	for end := time.Now().Add(30 * time.Second); len(pids) < 2; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		pids = strings.Fields(string(text))
		if time.Now().After(end) {
			t.Fatal("the child does not run")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
	}
}

// parent is the process that is killed. It writes the numbers of those that must not
// live on to a file.
func parent() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GOHOST_TEST=child")
	p, err := Start(cmd, os.Stderr, code)
	if err != nil {
		panic(err)
	}
	db, conn := newDatabase()
	go func() {
		for {
			var pid int
			if db.QueryRow("SELECT pid FROM pids").Scan(&pid) == nil {
				beside := os.Getenv("GOHOST_FILE") + "~"
				if os.WriteFile(beside, fmt.Appendf(nil, "%d %d\n", p.pid, pid), 0o666) == nil {
					_ = os.Rename(beside, os.Getenv("GOHOST_FILE"))
				}
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	panic(p.Func(version(nil, "Hangs"))(context.Background(), conn))
}

// start starts this binary in another role.
func start(t *testing.T, stderr io.Writer, role string) *Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GOHOST_TEST="+role)
	p, err := Start(cmd, stderr, code)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func code(err error) int {
	var e *sqlite3.Error
	if errors.As(err, &e) {
		return int(e.ExtendedCode())
	}
	return 0
}

// database returns a connection with what the migrations want. It is not in a
// transaction, so that others can see what they do.
func database(t *testing.T) *sql.Conn {
	t.Helper()
	db, conn := newDatabase()
	t.Cleanup(func() {
		conn.Close()
		db.Close()
	})
	return conn
}

func newDatabase() (*sql.DB, *sql.Conn) {
	db, err := driver.Open("file:/gohost-"+rand.Text()+"?vfs=memdb", func(c *sqlite3.Conn) error {
		return c.CreateFunction("twice", 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			ctx.ResultInt(2 * arg[0].Int())
		})
	})
	if err != nil {
		panic(err)
	}
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), `CREATE TABLE v(id INTEGER PRIMARY KEY, a, t);
			CREATE TABLE typed(at DATETIME, n INTEGER NOT NULL UNIQUE, a);
			INSERT INTO typed VALUES ('2026-11-23', 1, 'x');
			CREATE TABLE pids(pid)`)
	}
	if err != nil {
		panic(err)
	}
	return db, conn
}

// pid waits for the number that a migration has written.
func pid(t *testing.T, conn *sql.Conn) (pid int) {
	t.Helper()
	for range 1000 {
		if conn.QueryRowContext(t.Context(), "SELECT pid FROM pids").Scan(&pid) == nil {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no process has been started")
	return 0
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
