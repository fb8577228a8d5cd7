package main

import (
	"cmp"
	"context"
	"flag"
	"io"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/scaffold"
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
		return initResult{p}, nil
	}
}

type initResult struct{ *scaffold.Package }

// Path returns the import path, or what it may be in a module that does not exist yet.
func (r initResult) Path() string {
	return cmp.Or(r.ImportPath, "example.com/program/"+filepath.ToSlash(filepath.Dir(r.File)))
}

func (r initResult) print(w io.Writer) { printTemplate(w, "init.txt", r) }
