package gen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
)

// goMigration returns the text of a Go migration whose function has that body.
func goMigration(version, body string) string {
	return `package migrations

import (
	"context"

	"github.com/lockstep-db/lockstep/runtime"
)

func migrate` + version + `(ctx context.Context, tx lockstep.Tx) error {
	` + body + `
}
`
}

// newMigrations returns the folder of the files, in a module of their own.
func newMigrations(t *testing.T, files map[string]string) string {
	t.Helper()
	offline(t)
	dir := filepath.Join(newModule(t), "migrations")
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

// TestLinkThatCannotBe is about what keeps Go migrations from running, other than what is
// wrong with them.
func TestLinkThatCannotBe(t *testing.T) {
	tests := []struct {
		claim string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"NoModule", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "..", "go.mod"))
		}, "0001-x.go: cannot be run: no go.mod in the folder or above; Go migrations have to be in a package of a module"},
		{"NoGo", func(t *testing.T, dir string) {
			t.Setenv("PATH", t.TempDir())
		}, "0001-x.go: cannot be run: no go command on PATH, and it takes one to build Go migrations"},
		{"ModuleIsNotOfTheWorkspace", func(t *testing.T, dir string) {
			work := filepath.Join(dir, "..", "go.work")
			writeFile(t, work, "go 1.26.0\n\nuse ./other\n")
			writeFile(t, filepath.Join(filepath.Dir(work), "other", "go.mod"), "module example.com/other\n\ngo 1.26.0\n")
			t.Setenv("GOWORK", work)
			t.Setenv("GOFLAGS", "")
		}, "0001-x.go: cannot be run: the directory is contained in a module that is not one of the workspace modules listed in go.work. You can add the module to the workspace using: go work use .."},
		{"NotVendored", func(t *testing.T, dir string) {
			cmd := exec.CommandContext(t.Context(), "go", "mod", "vendor")
			cmd.Dir = filepath.Dir(dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Setenv("GOFLAGS", "-mod=vendor")
		}, "0001-x.go: cannot be run: cannot find module providing package github.com/lockstep-db/lockstep/gen: import lookup disabled by -mod=vendor; want lockstep among the tools of the module\n\tgo mod edit -tool github.com/lockstep-db/lockstep/cmd/lockstep\n\tgo mod tidy"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			dir := newMigrations(t, map[string]string{"0001-x.go": goMigration("0001", "return nil")})
			test.spoil(t, dir)
			_, err := Generate(t.Context(), dir, Options{})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if problems := (Problems)(nil); errors.As(err, &problems) {
				t.Error("it is a problem of the migrations")
			}
		})
	}
}

// TestPackageThatEndsTheProgram is about packages that do so before a migration can run.
func TestPackageThatEndsTheProgram(t *testing.T) {
	dir := newMigrations(t, map[string]string{
		"0001-x.go": goMigration("0001", "return nil"),
		"a.go": `package migrations

import "os"

func init() {
	if _, err := os.Stat("exit"); err == nil {
		println("no configuration")
		os.Exit(3)
	}
	panic("no configuration")
}
`,
	})
	t.Chdir(dir) // where the program starts, too
	for i, want := range []string{"exit status 2: panic: no configuration", "exit status 3: no configuration"} {
		t.Run(want, func(t *testing.T) {
			if i > 0 {
				writeFile(t, "exit", "")
			}
			_, err := Generate(t.Context(), dir, Options{})
			if want := "0001-x.go: cannot be run: the initialization of its package ended the program: " + want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if problems := (Problems)(nil); errors.As(err, &problems) {
				t.Error("it is a problem of the migrations")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestLink is about packages that can be linked.
func TestLink(t *testing.T) {
	// It imports a driver that registers the name that ncruces/go-sqlite3 has, as mattn's does.
	dir := newMigrations(t, map[string]string{
		"0001-x.go": goMigration("0001", "return nil"),
		"a.go":      "package migrations\n\nimport _ \"example.com/app/other\"\n",
		"../other/driver.go": `package other

import (
	"database/sql"
	"database/sql/driver"
	"errors"
)

func init() { sql.Register("sqlite3", d{}) }

type d struct{}

func (d) Open(string) (driver.Conn, error) { return nil, errors.New("no") }
`,
	})
	t.Run("LeavesTheNameToAnotherDriver", func(t *testing.T) {
		if _, err := Generate(t.Context(), dir, Options{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("IsOfHereWhereTheProgramIsNot", func(t *testing.T) {
		t.Setenv("GOOS", "plan9")
		t.Setenv("GOARCH", "386")
		if _, err := Generate(t.Context(), dir, Options{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("LeavesNothingBehind", func(t *testing.T) {
		before := glob(t, dir)
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		if _, err := Generate(t.Context(), dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if got := glob(t, dir); got != before {
			t.Errorf("got %s; want %s", got, before)
		}
		if got := glob(t, temp); got != "" {
			t.Errorf("temporary files: %s", got)
		}
	})
	t.Run("ContextThatEndsWhileItIsBuilt", func(t *testing.T) {
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, stop)
		if _, err := Generate(ctx, dir, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if got := glob(t, temp); got != "" {
			t.Errorf("temporary files: %s", got)
		}
	})
	t.Run("IsNotStartedForSQL", func(t *testing.T) {
		dir := newMigrations(t, map[string]string{
			"0001-x.sql": "CREATE TABLE t(a);",
			"0002-y.go":  goMigration("0002", "return nil"),
		})
		t.Setenv("PATH", t.TempDir())
		if _, err := Load(t.Context(), dir, Options{To: 1}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestProvisional is about the generated file while migrations are replayed.
func TestProvisional(t *testing.T) {
	dir := newMigrations(t, map[string]string{
		"0001-x.go":   goMigration("0001", "return nil"),
		"0002-y.go":   goMigration("0002", "return nil"),
		FileName:      genfile.Header + "\n\npackage migrations\n\nvar Schema = nothing.Schema{Migrations: []int{}}\n",
		"a.go":        "package migrations\n\nconst _ V0002Y = Latest\n",
		"a_test.go":   "package migrations_test\n",
		"z_plan9.go":  "package migrations\n\nfunc migrate0001() {}\n",
		"notes/x.sql": "",
	})
	t.Run("IgnoresAGeneratedFileThatIsStale", func(t *testing.T) {
		r, err := Generate(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Commit(); err != nil {
			t.Fatal(err)
		}
		compiles(t, filepath.Dir(dir))
	})
	t.Run("MissingFunctionIsACompileErrorThatNamesIt", func(t *testing.T) {
		for name, want := range map[string]string{
			"Migrate0001":          "undefined: migrate0001",
			"(number) migrate0001": "undefined: migrate0001",
		} {
			writeFile(t, filepath.Join(dir, "0001-x.go"), strings.Replace(goMigration("0001", "return nil"), "func migrate0001", "func "+name, 1)+"\ntype number int\n")
			out, err := goVet(t, filepath.Dir(dir))
			if _, said, _ := strings.Cut(strings.TrimSpace(out), "lockstep_gen.go:70:105: "); err == nil || said != want {
				t.Errorf("got %s, %v; want %s", out, err, want)
			}
		}
	})
}

// glob returns the files below dir.
func glob(t *testing.T, dir string) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(files, "\n")
}

// BenchmarkGoMigration reports what a directory costs in which there is a Go migration
// among 100 in SQL: as it is and, with a change to the Go file each time, with the
// compiling and linking of it.
//
//	go test ./gen -run - -bench GoMigration
func BenchmarkGoMigration(b *testing.B) {
	for _, bench := range []string{"None", "Unchanged", "Changed"} {
		b.Run(bench, func(b *testing.B) {
			offline(b)
			dir := filepath.Join(newModule(b), "migrations")
			for i := 1; i <= 100; i++ {
				v := lockstep.Version(i).String()
				writeFile(b, filepath.Join(dir, v+"-x.sql"), "CREATE TABLE t"+v+"(a);")
			}
			change := func(n int) {
				body := fmt.Sprintf("n := %d\n\t_, err := tx.ExecContext(ctx, \"CREATE TABLE IF NOT EXISTS go AS SELECT ? AS a\", n)\n\treturn err", n)
				writeFile(b, filepath.Join(dir, "0101-x.go"), goMigration("0101", body))
			}
			if bench != "None" {
				change(0)
			}
			if _, err := Generate(b.Context(), dir, Options{}); err != nil {
				b.Fatal(err)
			}
			n := int(time.Now().UnixNano()) // not what an earlier run has cached
			for b.Loop() {
				if n++; bench == "Changed" {
					change(n)
				}
				if _, err := Generate(b.Context(), dir, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
