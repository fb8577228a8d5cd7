package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func initCommand(*flag.FlagSet) action {
	return func(_ context.Context, _ *streams, args []string) (result, error) {
		dir, err := directoryArg(args, "")
		if err == nil && dir == "" {
			var paths map[string]string
			paths, err = readConfig("")
			dir = cmp.Or(paths["migrations"], "migrations")
		}
		if err != nil {
			return nil, err
		}
		if _, ok := directive(dir); ok {
			return nil, gen.Refuse("exists", "%s: is a migrations package already; nothing was written", dir)
		}
		p, err := scaffold.Init(dir)
		if err != nil {
			return nil, inDir(dir, err)
		}
		return &initResult{p.File, p.Test, p.Name, p.ImportPath, p.Tool, p.Empty}, nil
	}
}

type initResult struct {
	File       string `json:"file"`
	Test       string `json:"test"`
	Package    string `json:"package"`
	ImportPath string `json:"importPath"`
	Tool       bool   `json:"tool"`

	empty bool // there are no migrations yet
}

func (r *initResult) print(w io.Writer) {
	step := func(text, command string) { fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(command)) }
	fmt.Fprintf(w, "%s: written\n", r.File)
	if r.Test != "" {
		fmt.Fprintf(w, "%s: written\n", r.Test)
	}
	if r.ImportPath == "" {
		step("It is in no Go module yet. Make one:", "go mod init example.com/program")
	}
	if !r.Tool {
		step("Make lockstep a tool of your module, once:", "go get -tool "+gomod.CommandPath)
	}
	if r.empty {
		step("Begin the first migration, and write its SQL:", "go tool lockstep new --migrations "+wording.CommandLine(filepath.Dir(r.File))+" initialize")
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
