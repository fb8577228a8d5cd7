package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
)

func generateCommand() command {
	return command{
		name:  "generate",
		args:  "[--check] [--gaps] [--dqs] [--accept N]... [--json] [DIR]",
		short: "write lockstep_gen.go from the migrations in a directory",
		long: `
Reads the migrations in DIR (the current folder, where go generate starts it),
replays them in SQLite in memory, and writes lockstep_gen.go beside them. It writes
nothing unless all of them are right, and leaves an unchanged file alone. It prints
only the places in the module that are pinned to an earlier migration and so no longer
compile: the code to review before the commit.

"lockstep init" writes the line that starts it:

	//go:generate go tool lockstep generate

The go command builds migrations in Go and caches the result; python3 and sh run .py
and .sh files. They see a database with only what the migrations before them made, and
their output goes to standard error. A directory with only SQL pays nothing for that.

A migration that lockstep_gen.go records is history: databases have run it. generate
refuses when one is changed, other than in comments and white space, renamed or
removed. The newest may change until git has it. Write a change as a new migration; if
you know better, --accept records the new contents beside the old, and databases that
ran either are right. Contents that make another schema are not accepted.

Problems are printed one per line, with file, line and column. The exit code is 1 if
there are any.

Example:

	$ lockstep generate migrations
	migrations/0004-add-tags.sql: number 0004 is already used by 0004-add-index.sql

With --json, "result" has file (the path of lockstep_gen.go), version (the newest
migration), written (false if the file was right already) and pins (file, line,
col, pinned, newest).`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			check := fs.Bool("check", false, "write nothing; exit with 1 if lockstep_gen.go is stale")
			opts := generateFlags(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				dir := "."
				if len(args) > 1 {
					return nil, usage("found " + strconv.Itoa(len(args)) + " arguments; want one directory")
				}
				if len(args) == 1 {
					dir = args[0]
				}
				res, err := generate(ctx, s, dir, *opts)
				if err != nil {
					return nil, err
				}
				out := &generateResult{File: filepath.Join(dir, gen.FileName), Version: res.Schema.Expected, Pins: []genfile.Pin{}}
				stale, err := res.Stale()
				switch {
				case err != nil:
					return nil, inDir(dir, err)
				case stale != "" && *check:
					return out, refuseStale(dir, stale)
				case *check:
					return out, nil
				}
				if err := res.Commit(); err != nil {
					return nil, inDir(dir, err)
				}
				out.Written = stale != ""
				out.Pins, err = brokenPins(ctx, res)
				return out, err
			}
		},
	}
}

// generateFlags defines the flags that a go:generate line may have.
func generateFlags(fs *flag.FlagSet) *gen.Options {
	opts := &gen.Options{}
	fs.BoolVar(&opts.Gaps, "gaps", false, "accept gaps between the numbers, as fastmigrate does")
	fs.BoolVar(&opts.DQS, "dqs", false, `accept "strings" in double quotes, which some builds of SQLite refuse`)
	fs.Var((*versionList)(&opts.Accept), "accept", "`N`: accept the changed contents of migration N beside the earlier (may be repeated)")
	return opts
}

// generate calls [gen.Generate] and gives the files in its problems the names
// that the user has for them.
func generate(ctx context.Context, s *streams, dir string, opts gen.Options) (*gen.Result, error) {
	opts.Output = s.stderr
	res, err := gen.Generate(ctx, dir, opts)
	if err != nil {
		return nil, inDir(dir, err)
	}
	s.warnings = append(s.warnings, problemsIn(dir, res.Warnings)...)
	return res, nil
}

func refuseStale(dir, why string) error {
	return refuse("stale", "%s", filepath.Join(dir, why))
}

type generateResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
	Written bool             `json:"written"`
	Pins    []genfile.Pin    `json:"pins"`
}

func (r *generateResult) print(w io.Writer) {
	for _, p := range r.Pins {
		fmt.Fprintf(w, "%s:%d:%d: pinned to %s; the newest is %s\n", p.File, p.Line, p.Col, p.Pinned, p.Newest)
	}
}
