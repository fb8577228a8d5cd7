package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func initCommand(fs *flag.FlagSet) action {
	var from pathFlag
	fs.Var(&from, "from", "`OTHER`: make the migrations from those of another tool in the directory OTHER")
	return func(ctx context.Context, s *streams, args []string) (any, error) {
		if len(args) > 1 {
			return nil, usage(fmt.Sprintf("found %d arguments; want one directory", len(args)))
		}
		dir, err := defaultDir(ctx)
		if len(args) == 1 {
			dir, err = args[0], pathArg(args[0])
		}
		if err != nil {
			return nil, err
		}
		if _, ok := directive(dir); ok {
			command := "lockstep new WORDS"
			if from.given {
				command = othertool.Convert(from.value)
			}
			another := ""
			if len(args) == 0 {
				another = "; to make another, name its directory"
			}
			return nil, gen.Refuse("exists", "%s: is a migrations package already; nothing was written%s\n\t%s", dir, another, command)
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
			return initResult{c.Package, c, whereIs(ctx, dir)}, err
		}
		p, err := scaffold.Init(dir)
		if err != nil {
			return nil, inDir(dir, err)
		}
		return initResult{p, nil, whereIs(ctx, dir)}, nil
	}
}

// defaultDir returns the directory that a command works on without flags.
func defaultDir(ctx context.Context) (string, error) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	m := migrationsFlags(fs, gapsFlag)
	err := lookUp(ctx, fs)
	return m.value, err
}

// whereIs returns the flag with which a command works on the directory, or "" if it does
// without.
func whereIs(ctx context.Context, dir string) string {
	if found, err := defaultDir(ctx); err == nil && scaffold.SameFolder(found, dir) {
		return ""
	}
	return " --migrations " + wording.CommandLine(dir)
}

type initResult struct {
	*scaffold.Package
	*scaffold.Conversion        // nil without --from
	Where                string `json:"-"` // see whereIs
}

// Path returns the import path, or what it may be in a module that does not exist yet.
func (r initResult) Path() string {
	return cmp.Or(r.ImportPath, "example.com/program/"+filepath.ToSlash(filepath.Dir(r.File)))
}

// Local returns the name by which a program can call the package, beside the names that it
// has for other things.
func (r initResult) Local() string {
	if slices.Contains([]string{"ctx", "db", "err", "log", "sql"}, r.Name) {
		return "migrations"
	}
	return r.Name
}
