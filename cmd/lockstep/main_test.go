package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/gen/samedir"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

var update = flag.Bool("update", false, "write the outputs found into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"lockstep": main,
		"sqlite":   sqliteMain,
		"hold":     func() { holdMain("BEGIN EXCLUSIVE") },
		"read":     func() { holdMain("BEGIN", "SELECT count(*) FROM sqlite_schema") },
		"left":     leftMain,
	})
}

// TestScript runs testdata/script, one file per behaviour. To run a script by
// hand, unpack its files into an empty folder and type its commands; in place of
// "sqlite FILE SQL..." use SQLite's own shell.
func TestScript(t *testing.T) {
	runScripts(t, "script", samedir.TempDir(t), func(*testscript.Env) error { return nil })
}

// runScripts runs the scripts in a folder of testdata, each after setup, below work.
func runScripts(t *testing.T, dir, work string, setup func(*testscript.Env) error) {
	t.Helper()
	sqliteVersion := ""
	db, err := driver.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT sqlite_version()").Scan(&sqliteVersion); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		WorkdirRoot:         work,
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SQLITE_VERSION", sqliteVersion)
			for _, v := range []string{
				"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_EDITOR=true",
				"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
				"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
				"GOGC=400", // commands end soon
			} {
				name, value, _ := strings.Cut(v, "=")
				env.Setenv(name, value)
			}
			return setup(env)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"capture":  captureCmd,
			"empty":    emptyCmd,
			"exitcode": exitCodeCmd,
			"untimed":  untimedCmd,
			"waitfor":  waitForCmd,
		},
	})
}

// exitCodeCmd is "exitcode N PROGRAM ARGS...": it runs the program and wants that
// exit code.
func exitCodeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N PROGRAM ARGS...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code, ok := strings.CutPrefix(err.Error(), "exit status ")
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = code
	}
	if got != args[0] {
		ts.Fatalf("exit code %s; want %s", got, args[0])
	}
}

// captureCmd is "capture NAME PATTERN FILE": it sets a variable of the environment
// to what the pattern's group matches in the file.
func captureCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME PATTERN FILE")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[2]))
	if len(m) != 2 {
		ts.Fatalf("%s: no match for %s with one group", args[2], args[1])
	}
	ts.Setenv(args[0], m[1])
}

// untimedCmd is "untimed FILE NEW": it writes a file in which durations are TIME.
func untimedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: untimed FILE NEW")
	}
	text := regexp.MustCompile(`(?m)\b[0-9.]+(?:µs|ms|s)$|^( *"ms": )[0-9.]+`).ReplaceAllString(ts.ReadFile(args[0]), "${1}TIME")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o666))
}

// waitForCmd is "waitfor FILE": it waits for a background program to write it.
func waitForCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for range 1000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}

// sqliteMain is "sqlite FILE SQL...": it makes the file if need be, runs the
// statements, and prints what they return.
func sqliteMain() {
	if err := runSQL(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSQL(path string, stmts []string) error {
	db, err := database.Connect(path, "rwc", database.Prepare)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, stmt := range stmts {
		lines, err := sqlite.Lines(db.Query(stmt))
		if err != nil {
			return err
		}
		os.Stdout.WriteString(strings.Join(append(lines, ""), "\n"))
	}
	return nil
}

// holdMain is "hold FILE HELD" and "read FILE HELD": it locks the database, so that
// nobody reads or nobody commits, makes the file HELD, and waits to be killed.
func holdMain(lock ...string) {
	ctx := context.Background()
	db, err := database.Connect(os.Args[1], "rw", nil)
	if err == nil {
		var conn *sql.Conn
		conn, err = db.Conn(ctx)
		for _, stmt := range lock {
			if err == nil {
				_, err = conn.ExecContext(ctx, stmt)
			}
		}
	}
	if err == nil {
		err = os.WriteFile(os.Args[2], nil, 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(time.Minute)
}

// leftMain is "left FILE SQL...": it runs the statements, and dies without closing the
// database.
func leftMain() {
	db, err := database.Connect(os.Args[1], "rw", nil)
	if err == nil {
		for _, stmt := range os.Args[2:] {
			if _, err = db.Exec(stmt); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
