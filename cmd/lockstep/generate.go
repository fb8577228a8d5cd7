package main

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
)

func generateCommand(fs *flag.FlagSet) action {
	m := migrationsFlags(fs, generateFlags)
	check := fs.Bool("check", false, "write nothing; exit with 1 if lockstep_gen.go is stale")
	verbose := fs.Bool("v", false, "list the tables for which no rows were found to try migrations on")
	noProgramsFlag(fs, &m.opts)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		if m.opts.NoPrograms && !*check {
			return nil, usage("--no-programs is for --check: lockstep_gen.go is not written without the schema")
		}
		dir := m.value
		res, err := generate(ctx, s, dir, m.opts)
		if err != nil {
			return nil, err
		}
		if *verbose {
			s.warnings = append(s.warnings, problemsIn(dir, res.Untried)...)
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
		if out.Pins, err = brokenPins(ctx, res); out.Written {
			out.Breaks = breaksOf(ctx, dir, res.Schema)
		}
		return out, err
	}
}

// generateFlags defines the flags that a go:generate line may have.
func generateFlags(fs *flag.FlagSet, opts *gen.Options) {
	gapsFlag(fs, opts)
	fs.BoolVar(&opts.DQS, "dqs", false, `accept "strings" in double quotes, which some builds of SQLite refuse`)
	which := []string{"new", "all", "none"}
	fs.Var(choice{func(s string) error {
		if opts.Prove = s; !slices.Contains(which, s) {
			return errors.New("want new, all or none")
		}
		return nil
	}, func() []string { return which }}, "prove", "`WHICH` migrations to try on tables with rows: new, all or none (default new)")
	versionFlag(fs, "accept", "`N`: accept the changed contents of migration N beside the earlier (may be repeated)", func(v lockstep.Version) {
		opts.Accept = append(opts.Accept, v)
	})
}

// generate calls [gen.Generate].
func generate(ctx context.Context, s *streams, dir string, opts gen.Options) (*gen.Result, error) {
	opts.Output = s.stderr
	res, err := gen.Generate(ctx, dir, opts)
	return s.named(dir, res, err)
}

func refuseStale(dir, why string) error {
	return gen.Refuse("stale", "%s%s", filepath.Join(dir, gen.FileName), strings.TrimPrefix(why, gen.FileName))
}

type generateResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
	Written bool             `json:"written"`
	Pins    []genfile.Pin    `json:"pins"`
	Breaks  []breaks         `json:"breaks,omitempty"`
}
