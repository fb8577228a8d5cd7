package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// TestTerminal runs the command on work that has no end before it is interrupted,
// with a terminal and without.
func TestTerminal(t *testing.T) {
	keyboard, screen := openTerminal(t)
	pipe := start(t, nil)
	onTerminal := start(t, screen) // later: the other has run for as long
	screen.Close()

	shown, next := watch(t, keyboard)
	const (
		line   = "migration 1 of 1: 0002-count.sql, statement 3 of 3, 2 rows written, …s"
		failed = "lockstep: data.db: 0002-count.sql:3: interrupted: context canceled: interrupt signal received; rolled back, still at 0001"
	)
	got := next()
	for got == "waiting for the database, …s" { // on a machine that is very busy
		got = next()
	}
	if got != line {
		t.Errorf("got %q, want %q", got, line)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		onTerminal.stop(t)
	}()
	for text := range shown {
		got += "\r" + text
	}
	<-stopped
	// The line is erased, and the error is where it was.
	if want := line + "\r\r" + failed + "\r\n"; got != want {
		t.Errorf("the terminal got %q, want %q", got, want)
	}
	pipe.stop(t)
	if got, want := pipe.stderr.String(), failed+"\n"; got != want {
		t.Errorf("the pipe got %q, want %q", got, want)
	}
}

// watch tells what is shown on a terminal: next returns it or, when nothing comes, fails.
func watch(t *testing.T, keyboard *os.File) (shown chan string, next func() string) {
	// What is shown is known when the next begins, which it does with "\r".
	shown = make(chan string)
	go func() {
		defer close(shown)
		r := bufio.NewReader(keyboard)
		last := ""
		for {
			text, err := r.ReadString('\r')
			text = seconds.ReplaceAllString(strings.TrimSuffix(text, "\r"), " …s")
			if strings.Trim(text, " ") == "" {
				text = ""
			}
			if text != last { // or only the time has changed
				shown <- text
			}
			if last = text; err != nil { // the other end is closed
				return
			}
		}
	}()
	return shown, func() string {
		t.Helper()
		select {
		case text := <-shown:
			return text
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was shown")
			return ""
		}
	}
}

// TestTerminalOfACopy runs commands that copy while somebody else has the database locked.
func TestTerminalOfACopy(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "data.db")
	if err := runSQL(db, []string{"CREATE TABLE notes (id INTEGER PRIMARY KEY)"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ command, waits string }{
		{"backup --db data.db --to old.backup", "waiting for the database, …s"},
		{"restore --db data.db --no-backup old.backup", "waiting for data.db, …s"},
	} {
		other, err := sqlite3.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		begin := "BEGIN EXCLUSIVE"
		if strings.HasPrefix(test.command, "restore") {
			begin = "BEGIN IMMEDIATE" // the database can be read
		}
		if err := other.Exec(begin); err != nil {
			t.Fatal(err)
		}
		keyboard, screen := openTerminal(t)
		r := &running{Cmd: exec.Command(executable(t), strings.Fields(test.command)...)}
		r.Dir, r.Stderr = dir, screen
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		screen.Close()
		shown, next := watch(t, keyboard)
		for next() != test.waits {
		}
		if err := other.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		got := ""
		for got = range shown {
		}
		if err := r.Wait(); err != nil || got != "" {
			t.Errorf("%s: got %v, and %q is left on the terminal", test.command, err, got)
		}
	}
}

var seconds = regexp.MustCompile(` [0-9]+s\b`)

// A running is a command that runs.
type running struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// executable returns a name by which the test is the command.
func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lockstep := filepath.Join(t.TempDir(), "lockstep") // TestMain goes by the name
	if err := os.Symlink(exe, lockstep); err != nil {
		t.Fatal(err)
	}
	return lockstep
}

// start starts a migration that has no end. Its standard error is the terminal, or
// a pipe.
func start(t *testing.T, terminal *os.File) *running {
	t.Helper()
	dir := t.TempDir()
	lockstep := executable(t)
	if err := os.Mkdir(filepath.Join(dir, "migrations"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"0001-notes.sql": "CREATE TABLE notes (id INTEGER PRIMARY KEY);\n",
		// It ends where there are no notes, and so it can be read.
		"0002-count.sql": `CREATE TABLE counted (n);
UPDATE notes SET id = id + 2;
INSERT INTO counted WITH RECURSIVE n(i) AS (SELECT id FROM notes UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n WHERE i < 0;
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "migrations", name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(lockstep, args...)
		cmd.Dir = dir
		return cmd
	}
	db := filepath.Join(dir, "data.db")
	if err := os.WriteFile(db, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := command("migrate", "--db", "data.db", "--to", "1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := runSQL(db, []string{"INSERT INTO notes VALUES (1), (2)"}); err != nil {
		t.Fatal(err)
	}
	r := &running{Cmd: command("migrate", "--db", "data.db")}
	if r.Stderr = io.Writer(&r.stderr); terminal != nil {
		r.Stderr = terminal
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill() })
	return r
}

// stop interrupts the command, which says then that it failed.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the command succeeded")
		}
	case <-time.After(30 * time.Second):
		t.Error("the command did not end")
		r.Process.Kill()
	}
}

// openTerminal returns both ends of a pseudo-terminal that has 200 columns.
func openTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200}); err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return keyboard, screen
}
