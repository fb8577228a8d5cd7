package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/renumber"
	"github.com/lockstep-db/lockstep/runtime"
)

func renumberCommand(fs *flag.FlagSet) action {
	m := migrationsFlags(fs, gapsFlag)
	opts := renumber.Options{}
	dryRun := false
	fs.StringVar(&opts.Onto, "onto", "", "`BRANCH`: the migrations in this branch or commit stay")
	fs.Var(choice{func(file string) error {
		if slices.Contains(opts.Move, file) {
			return errors.New("given twice")
		}
		opts.Move = append(opts.Move, file)
		return nil
	}, migrationsIn(fs, filename.Name.String)}, "move", "`FILE`: move this migration after all others (may be repeated)")
	fs.BoolVar(&dryRun, "dry-run", false, "print what would be done, and do nothing")
	fs.BoolVar(&dryRun, "n", false, "short for --dry-run")
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		if opts.Onto != "" && len(opts.Move) > 0 {
			return nil, usage("--onto and --move: want one of them")
		}
		generate, isPackage := m.options()
		generate.Output = s.stderr
		opts.Gaps = generate.Gaps
		if _, err := os.Stat(filepath.Join(m.value, gen.FileName)); err != nil && !isPackage {
			opts.Plain = true
		}
		plan, err := renumber.New(ctx, m.value, opts)
		if err != nil {
			return nil, inDir(m.value, err)
		}
		for i := range plan.Names {
			plan.Names[i].File = fromHere(plan.Names[i].File)
		}
		for i := range plan.Conflicts {
			plan.Conflicts[i].File = fromHere(plan.Conflicts[i].File)
		}
		out := &renumberResult{Plan: plan, DryRun: dryRun, Version: plan.Version, Pins: []genfile.Pin{}}
		if dryRun || len(plan.Moves) == 0 {
			return out, both{plan.Conflicts}
		}
		res, err := plan.Apply(ctx, generate)
		if res, err = s.named(m.value, res, err); res == nil {
			return nil, err
		}
		if !opts.Plain {
			out.Generated = filepath.Join(m.value, gen.FileName)
		}
		if err == nil {
			out.Pins, err = brokenPins(ctx, res)
		}
		if len(plan.Conflicts) > 0 {
			err = both{err, plan.Conflicts}
		}
		return out, err
	}
}

type renumberResult struct {
	*renumber.Plan
	DryRun    bool             `json:"dryRun"`
	Version   lockstep.Version `json:"version"`
	Pins      []genfile.Pin    `json:"pins"`
	Generated string           `json:"generated"`
}
