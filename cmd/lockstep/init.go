package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/gomod"
)

func initCommand() command {
	return command{
		name:  "init",
		args:  "[--json] [DIR]",
		short: "make a migrations package",
		long: `
Makes DIR (default: the migrations directory, see "lockstep help") and in it
migrations.go, which makes a Go package of it: the package's documentation and the
line that has go generate run lockstep. Beside it, migrations_test.go has the one
line that tests all migrations: that a database of every version upgrades to the
schema that was generated. (Before "go generate" has run there is none, and the test
does not compile.) It prints what comes next, with the import path of the package. It
writes no migration; "lockstep new" begins the first.

The test imports the SQLite driver that go.mod requires, and that of
github.com/ncruces/go-sqlite3 if it requires none.

DIR may have migrations already, such as those of a program that used fastmigrate.
Nothing that exists is overwritten.

Example:

	$ lockstep init
	migrations/migrations.go: written
	migrations/migrations_test.go: written

With --json, "result" has file, test ("" if there was a migrations_test.go already),
package, importPath ("" outside of a module) and tool (whether go.mod has lockstep
among its tools).`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			return func(_ context.Context, _ *streams, args []string) (result, error) {
				if len(args) > 1 {
					return nil, usage(fmt.Sprintf("found %d arguments; want one directory", len(args)))
				}
				dir := &pathFlag{key: "migrations", fallback: "migrations"}
				if len(args) == 1 {
					if err := dir.Set(args[0]); err != nil {
						return nil, usage(err.Error())
					}
				}
				if err := dir.lookUp(); err != nil {
					return nil, err
				}
				return initPackage(dir.value)
			}
		},
	}
}

func initPackage(dir string) (_ result, err error) {
	made, err := makeFolders(dir)
	defer func() {
		if err != nil {
			for _, folder := range made {
				os.Remove(folder) // if it is empty
			}
		}
	}()
	if err != nil {
		return nil, fileError(dir, err)
	}
	if _, ok := directive(dir); ok {
		return nil, refuse("exists", "%s: is a migrations package already; nothing was written", dir)
	}
	res := &initResult{File: filepath.Join(dir, "migrations.go")}
	res.Package = gen.PackageName(dir)
	module, err := gomod.Find(dir)
	if err != nil {
		return nil, err
	}
	if module != nil {
		if res.ImportPath, err = module.ImportPath(dir); err != nil {
			return nil, err
		}
		res.Tool = module.Tool
	}
	last, err := lastVersion(dir)
	if err != nil {
		return nil, err
	}
	res.first = last == 0
	if err := writeNew(res.File, packageText(res.Package)); err != nil {
		return nil, err
	}
	test := filepath.Join(dir, "migrations_test.go")
	switch err := writeNew(test, testText(res.Package, driverOf(module))); {
	case err == nil:
		res.Test = test
	case kindOf(err) != "exists":
		os.Remove(res.File)
		return nil, err
	}
	return res, nil
}

// makeFolders makes a folder and those above it where they are missing, and returns
// the new ones, the innermost first.
func makeFolders(dir string) (made []string, err error) {
	for above := filepath.Clean(dir); ; above = filepath.Dir(above) {
		if _, err := os.Lstat(above); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, above)
	}
	return made, os.MkdirAll(dir, 0o777)
}

// packageText is migrations.go.
func packageText(name string) string {
	// A line of this file that began with go:generate would start the command here.
	return fmt.Sprintf(`// Package %s holds the migrations of the program's database: numbered SQL
// files, each of which takes the database from the version before it to its own.
// Call Migrate when the program starts.
//
// To add a migration, run "lockstep new WORDS", write its SQL, run go generate,
// and commit both together with the code that is written for the new version.
package %s

//%s go tool lockstep generate
`, name, name, "go:generate")
}

// testText is migrations_test.go. It is in the package itself, whose import path need
// not be known for it.
func testText(name, driver string) string {
	return fmt.Sprintf(`package %s

import (
	"testing"

	_ %q // the SQLite driver of the program

	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// TestMigrations upgrades a database of every version, and compares what becomes of it
// with the schema that was generated. Where the program adds functions or modules to
// SQLite, pass migratetest.Open, too. That rows survive takes rows: migratetest.At.
func TestMigrations(t *testing.T) { migratetest.Run(t, Schema) }
`, name, driver)
}

// sqliteDrivers are the imports that register an SQLite driver, with the modules that
// have them. The first is that of lockstep's own command, which brings it along.
var sqliteDrivers = []struct{ module, pkg string }{
	{"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3/driver"},
	{"github.com/mattn/go-sqlite3", "github.com/mattn/go-sqlite3"},
	{"modernc.org/sqlite", "modernc.org/sqlite"},
}

// driverOf returns the import of the module's SQLite driver. An indirect requirement can be
// one that "go mod tidy" has not looked at yet, and so the program's own; that of ncruces
// is there with lockstep in any case.
func driverOf(m *gomod.Module) string {
	if m != nil {
		for _, d := range sqliteDrivers {
			if slices.Contains(m.Direct, d.module) {
				return d.pkg
			}
		}
		for _, d := range sqliteDrivers[1:] {
			if slices.Contains(m.Indirect, d.module) {
				return d.pkg
			}
		}
	}
	return sqliteDrivers[0].pkg
}

type initResult struct {
	File       string `json:"file"`
	Test       string `json:"test"`
	Package    string `json:"package"`
	ImportPath string `json:"importPath"`
	Tool       bool   `json:"tool"`

	first bool // there are no migrations yet
}

func (r *initResult) print(w io.Writer) {
	step := func(text, command string) { fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(command)) }
	fmt.Fprintf(w, "%s: written\n", r.File)
	if r.Test != "" {
		fmt.Fprintf(w, "%s: written\n", r.Test)
	}
	if r.ImportPath == "" {
		step("Make a Go module of the folder above it, which it is not in yet:", "go mod init example.com/program")
	}
	if !r.Tool {
		step("Make lockstep a tool of your module, once:", "go get -tool "+gomod.CommandPath)
	}
	if r.first {
		step("Begin the first migration, and write its SQL:", "go tool lockstep new --migrations "+quoteArg(filepath.Dir(r.File))+" initialize")
	}
	step("Generate, now and after each new migration:", "go generate ./...")
	if r.Test != "" {
		step("Test the migrations, once they are generated:", "go test ./...")
	}
	path := r.ImportPath
	if path == "" {
		path = "example.com/program/" + filepath.ToSlash(filepath.Dir(r.File))
	}
	step("Migrate when the program starts, before anything else uses the database:", fmt.Sprintf(`import %s

db, err := sql.Open("sqlite3", "file:data.db") // any SQLite driver
if err != nil {
	log.Fatal(err)
}
if err := %s.Migrate(ctx, db); err != nil {
	log.Fatal(err)
}
// From here on the database is at %s.ExpectedVersion.`, importSpec(r.Package, path), r.Package, r.Package))
}

// importSpec names the package where its path does not.
func importSpec(name, importPath string) string {
	if path.Base(importPath) == name {
		return strconv.Quote(importPath)
	}
	return name + " " + strconv.Quote(importPath)
}
