package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/scaffold"
)

func initCommand(fs *flag.FlagSet) action {
	var from pathFlag
	fs.Var(&from, "from", "`OTHER`: make the migrations of those in the directory OTHER, which another tool runs")
	return func(ctx context.Context, s *streams, args []string) (result, error) {
		if len(args) > 1 {
			return nil, usage(fmt.Sprintf("found %d arguments; want one directory", len(args)))
		}
		var err error
		dir := "migrations"
		if len(args) == 1 {
			dir, err = args[0], pathArg(args[0])
		} else if paths, e := readConfig(""); e != nil || paths["migrations"] != "" {
			dir, err = paths["migrations"], e
		} else if isMigrations() {
			dir = "."
		}
		if err != nil {
			return nil, err
		}
		if _, ok := directive(dir); ok {
			return nil, gen.Refuse("exists", "%s: is a migrations package already; nothing was written", dir)
		}
		if from.given {
			c, err := scaffold.InitFrom(ctx, from.value, dir)
			if err != nil {
				return nil, inDir(dir, err)
			}
			s.warnings = c.Warnings
			if err = nil; len(c.Problems) > 0 {
				err = problemsIn(dir, c.Problems)
			}
			return conversionResult{initResult{c.Package}, c}, err
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

type conversionResult struct {
	initResult
	*scaffold.Conversion
}

func (r conversionResult) print(w io.Writer) {
	printTemplate(w, "from.txt", r)
	r.initResult.print(w)
}
