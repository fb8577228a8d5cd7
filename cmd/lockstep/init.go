package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

func initCommand() command {
	return command{
		name:  "init",
		args:  "[-json] [DIR]",
		short: "make a migrations package",
		long: `
Makes DIR (default: the migrations directory, see "lockstep help") and in it
migrations.go, which makes a Go package of it: the package's documentation and the
line that has go generate run lockstep. It prints what comes next, with the import
path of the package. It writes no migration; "lockstep new" begins the first.

DIR may have migrations already, such as those of a program that used fastmigrate.
Nothing that exists is overwritten.

Example:

	$ lockstep init
	migrations/migrations.go: written

With -json, "result" has file, package, importPath ("" outside of a module) and
tool (whether go.mod has lockstep among its tools).`,
		flags: func(fs *flag.FlagSet) action {
			return func(_ context.Context, _ *streams, args []string) (result, error) {
				if len(args) > 1 {
					return nil, usage(fmt.Sprintf("found %d arguments; want one directory", len(args)))
				}
				dir := &pathFlag{name: "migrations", fallback: "migrations"}
				if len(args) == 1 {
					if err := dir.Set(args[0]); err != nil {
						return nil, usage(err.Error())
					}
				}
				path, err := dir.path()
				if err != nil {
					return nil, err
				}
				return initPackage(path)
			}
		},
	}
}

func initPackage(dir string) (result, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fileError(dir, err)
	}
	if _, ok := directive(dir); ok {
		return nil, refuse("exists", "%s: is a migrations package already; nothing was written", dir)
	}
	res := &initResult{File: filepath.Join(dir, "migrations.go")}
	var err error
	if res.Package, err = packageName(dir); err != nil {
		return nil, err
	}
	root, module, err := moduleOf(dir)
	if err != nil {
		return nil, err
	}
	if module.path != "" {
		if res.ImportPath, err = module.importPath(root, dir); err != nil {
			return nil, err
		}
	}
	res.Tool = module.tool
	last, err := lastVersion(dir)
	if err != nil {
		return nil, err
	}
	res.first = last == 0
	if err := writeNew(res.File, packageText(res.Package)); err != nil {
		return nil, err
	}
	return res, nil
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

// packageName returns the name of the package in dir if there is one, else one
// that is like the name of the folder.
func packageName(dir string) (string, error) {
	pkg, err := build.ImportDir(dir, 0)
	if err == nil {
		return pkg.Name, nil
	}
	if none := (*build.NoGoError)(nil); !errors.As(err, &none) {
		return "", fileError(dir, err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(filepath.Base(abs))
	if !token.IsIdentifier(name) || name == "main" {
		name = "migrations"
	}
	return name, nil
}

type initResult struct {
	File       string `json:"file"`
	Package    string `json:"package"`
	ImportPath string `json:"importPath"`
	Tool       bool   `json:"tool"`

	first bool // there are no migrations yet
}

func (r *initResult) print(w io.Writer) {
	step := func(text, command string) { fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(command)) }
	fmt.Fprintf(w, "%s: written\n", r.File)
	if r.ImportPath == "" {
		step("Make a Go module of the folder above it, which it is not in yet:", "go mod init example.com/program")
	}
	if !r.Tool {
		step("Make lockstep a tool of your module, once:", "go get -tool "+commandPath)
	}
	if r.first {
		step("Begin the first migration, and write its SQL:", "go tool lockstep new --migrations "+quoteArg(filepath.Dir(r.File))+" initialize")
	}
	step("Generate, now and after each new migration:", "go generate ./...")
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
