package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"

	"github.com/lockstep-db/lockstep/runtime/wording"
)

// load calls [gen.Load] for the commands that work on a directory whether or not it is a
// Go package. Gaps are accepted if the go:generate line of the directory accepts them;
// double-quoted strings always, with a warning.
func load(ctx context.Context, s *streams, dir string, opts gen.Options) (*gen.Result, error) {
	line, _ := directive(dir)
	opts.Gaps = opts.Gaps || line.Gaps
	opts.DQS = true
	opts.Output = programOutput{s}
	res, err := gen.Load(ctx, dir, opts)
	if err != nil {
		return nil, inDir(dir, err)
	}
	s.warnings = append(s.warnings, problemsIn(dir, res.Warnings)...)
	return res, nil
}

// known returns an error if --no-programs has left the schema unknown.
func known(dir string, res *gen.Result) error {
	if res.Schema.Fingerprint != "" {
		return nil
	}
	return fmt.Errorf("%s: the schema at version %v is not known: a program was not run, and %s does not record these migrations", dir, res.Schema.Expected, gen.FileName)
}

// programOutput is where migrations that are programs print: standard error while they
// run on a database, nowhere while they are replayed for the schema.
type programOutput struct{ s *streams }

func (o programOutput) Write(b []byte) (int, error) {
	if o.s.migrating.Load() {
		return o.s.stderr.Write(b)
	}
	return len(b), nil
}

// inDir makes the files in problems relative to the current folder.
func inDir(dir string, err error) error {
	if err == nil {
		return nil
	}
	if problems := (gen.Problems)(nil); errors.As(err, &problems) {
		return problemsIn(dir, problems)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fileError(e.Path, err)
	}
	return err
}

func problemsIn(dir string, problems gen.Problems) gen.Problems {
	named := make(gen.Problems, len(problems))
	for i, p := range problems {
		if p.File != filepath.ToSlash(dir) { // it is not a problem of the directory
			p.File = filepath.Join(dir, p.File)
		} else if p.Command == "lockstep init" {
			p.Command += " " + wording.CommandLine(dir)
		}
		named[i] = p
	}
	return named
}
