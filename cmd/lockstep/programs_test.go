package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockstep-db/lockstep/gen/samedir"
)

// TestPrograms runs testdata/programs: modules with migrations in Go, Python and
// shell, which the real interpreters and the real go command run.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("the go command is run many times")
	}
	for _, name := range []string{"python3", "sh"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	setup, _ := moduleSetup(t)
	runScripts(t, "programs", samedir.TempDir(t), func(e *testscript.Env) error {
		// Nothing is to be left there.
		temp := filepath.Join(e.WorkDir, ".tmp", "of programs")
		if err := errors.Join(os.MkdirAll(temp, 0o777), setup(e)); err != nil {
			return err
		}
		e.Setenv("TMPDIR", temp)
		e.Setenv("GOTMPDIR", temp)
		return nil
	})
}

// TestImports keeps the command such that it can be built again as a part of the module
// that Go migrations are in.
func TestImports(t *testing.T) {
	imports, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(imports)) {
		if strings.Contains(path, "/internal/") {
			t.Errorf("imports %s: package main cannot be built in another module", strings.TrimSpace(path))
		}
	}
}

// emptyCmd is "empty DIR": it wants a folder with nothing in it.
func emptyCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s has %v", args[0], entries)
	}
}
