//go:build unix

package gen

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"golang.org/x/tools/txtar"
)

// newActs returns the folder of migrations of which one does what the file "act" in the
// current folder says, or the variable ACT,
// in a module of their own, and its text.
func newActs(t *testing.T) (dir, text string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/rerun/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files["../"+f.Name] = string(f.Data)
	}
	const migrations = "store/internal/migrations"
	dir = filepath.Join(newMigrations(t, files), "..", filepath.FromSlash(migrations))
	return dir, files["../"+migrations+"/0002-act.go"]
}

// TestGoReplay has Generate replay migrations in Go.
func TestGoReplay(t *testing.T) {
	dir, source := newActs(t)
	lineOf := func(text string) string {
		before, _, _ := strings.Cut(source, text)
		return ":" + strconv.Itoa(strings.Count(before, "\n")+1)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	here := t.TempDir()
	t.Chdir(here)
	does := func(act string) { writeFile(t, filepath.Join(here, "act"), act) }
	for act, want := range map[string]string{
		"nothing":   "",
		"mattn":     "",
		"own":       ": not today",
		"statement": lineOf("SET title = titel") + ": slugs: no such column: titel",
		"swallowed": lineOf(`ctx, "COMMIT"`) + ": COMMIT: the upgrade is one transaction; return nil to keep the migration's changes, an error to roll back",
		"view":      ": view titles: no such column: titel",
		"map":       lineOf(`words["a"]++`) + ": panic: assignment to entry in nil map",
		"row":       lineOf("SELECT abs(") + ": abs: integer overflow",
		"prepared":  lineOf("insert.ExecContext(") + ": INSERT INTO notes(title) VALUES (?): UNIQUE constraint failed: notes.title",
		"panic":     lineOf("list[7])") + ": panic: runtime error: index out of range [7] with length 0",
		"goexit":    ": called runtime.Goexit",
		"exit":      ": called os.Exit: exit status 0",
		"fatal":     ": called os.Exit: exit status 1: without configuration",
		"crash":     lineOf(`panic("boom")`) + ": panic in another goroutine: boom",
	} {
		t.Run("Says_"+act, func(t *testing.T) {
			does(act)
			_, err := Generate(t.Context(), dir, Options{})
			if want != "" {
				want = "0002-act.go" + want
			}
			if got := errorText(err); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if problems := (Problems)(nil); err != nil && !errors.As(err, &problems) {
				t.Error("it is no problem of the migrations")
			}
		})
	}
	t.Run("HasAnEnvironmentOfItsOwn", func(t *testing.T) {
		t.Setenv("LOCKSTEP_TEST_TOKEN", "secret")
		writeFile(t, filepath.Join(here, "home"), os.Getenv("HOME"))
		does("environment")
		if _, err := Generate(t.Context(), dir, Options{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("Prints", func(t *testing.T) {
		does("print")
		var output bytes.Buffer
		if _, err := Generate(t.Context(), dir, Options{Output: &output}); err != nil {
			t.Error(err)
		}
		if got, want := output.String(), "to standard output\nto standard error\nby a logger\n"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	for _, act := range []string{"obey", "hang"} {
		t.Run("ContextThatEnds"+act, func(t *testing.T) {
			does(act)
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			if _, err := Generate(ctx, dir, Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := glob(t, temp); got != "" {
		t.Errorf("temporary files: %s", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A generator is the program of the module that newActs makes.
type generator struct{ dir, module, program string }

func newGenerator(t *testing.T) *generator {
	t.Helper()
	dir, _ := newActs(t)
	writeFile(t, filepath.Join(dir, "0004-answer.sql"), "CREATE TABLE answers AS SELECT answer() AS a, slug FROM notes;")
	g := &generator{dir, filepath.Join(dir, "..", "..", ".."), filepath.Join(t.TempDir(), "generator.exe")}
	// The go command caches what "go run" links, not what "go build" does.
	build := exec.CommandContext(t.Context(), "go", "run", "-exec=cp", "-ldflags=-s -w", "./generator", g.program)
	build.Dir = g.module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return g
}

func (g *generator) command(t *testing.T, env string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), g.program, append([]string{"store/internal/migrations"}, args...)...)
	cmd.Dir = g.module
	cmd.Env = append(cmd.Environ(), strings.Fields(env)...)
	return cmd
}

// run runs the program and returns what it prints and how it ends.
func (g *generator) run(t *testing.T, env string, args ...string) string {
	t.Helper()
	cmd := g.command(t, env, args...)
	cmd.Stdin = strings.NewReader("nothing for migrations")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	return stdout.String() + g.relative(stderr.String()) + cmd.ProcessState.String()
}

func (g *generator) relative(text string) string {
	return strings.ReplaceAll(text, g.module+string(filepath.Separator), "")
}

// TestRerun has a program run itself again with the migrations.
func TestRerun(t *testing.T) {
	g := newGenerator(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Run("AsFarAsGenerateWithTheHook", func(t *testing.T) {
		act := filepath.Join(g.module, "act")
		writeFile(t, act, "print")
		defer os.Remove(act)
		if got, want := g.run(t, ""), "to standard output\nto standard error\nby a logger\nexit status 0"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		text, err := os.ReadFile(filepath.Join(g.dir, FileName))
		if err != nil || !strings.Contains(string(text), "SchemaSQL = `CREATE TABLE answers") {
			t.Errorf("got %s, %v", text, err)
		}
	})
	for _, test := range []struct{ claim, env, want string }{
		{"ForLoad", "ACT=print THEN=", "migrated\nexit status 0"},
		{"TellsTheMigrationThatExits", "THEN=fatal", "generator: 0002-act.go: called os.Exit: exit status 1: without configuration\nexit status 3"},
		{"TellsTheMigrationThatExitsInTheReplay", "ACT=exit", "generator: 0002-act.go: called os.Exit: exit status 0\nexit status 3"},
		{"TellsTheMigrationThatPanics", "THEN=panic", "migrated\ngenerator: a.db: 0002-act.go: panic: runtime error: index out of range [7] with length 0; rolled back, still at 0000\nexit status 3"},
		{"TellsTheMigrationThatFails", "THEN=prepared", "migrated\ngenerator: a.db: 0002-act.go: INSERT INTO notes(title) VALUES (?): UNIQUE constraint failed: notes.title; rolled back, still at 0000\nexit status 3"},
		{"ErrorsAreOfEveryDriver", "THEN=mattn", "migrated\nexit status 0"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			os.Remove(filepath.Join(g.module, "a.db"))
			if got := g.run(t, test.env, "a.db"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	t.Run("IsInterruptedWithThisProgram", g.interrupted)
	t.Run("EndsWithThisProgram", func(t *testing.T) {
		cmd := g.command(t, "THEN=hang PIDS="+filepath.Join(g.dir, "b"), "b.db")
		child := startHanging(t, cmd)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		gone(t, child)
	})
	if got := glob(t, temp); got != "" {
		t.Errorf("temporary files: %s", got)
	}
}

func (g *generator) interrupted(t *testing.T) {
	cmd := g.command(t, "THEN=hang PIDS="+filepath.Join(g.dir, "c"), "c.db")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	child := startHanging(t, cmd)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got, want := g.relative(stderr.String()), "generator: c.db: 0002-act.go: interrupted: context canceled: interrupt signal received; rolled back, still at 0000\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	gone(t, child)
	db, err := driver.Open("file:" + filepath.Join(g.module, "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d tables are left, %v", n, err)
	}
}

// startHanging starts a program, and returns the number of the process whose migration
// hangs.
func startHanging(t *testing.T, cmd *exec.Cmd) (pid int) {
	t.Helper()
	file, _ := strings.CutPrefix(cmd.Env[len(cmd.Env)-1], "PIDS=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(string(text)); err == nil {
			return pid
		}
		if time.Now().After(end) {
			t.Fatal("the migration does not run")
		}
	}
}

// gone fails the test unless the process ends.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}
