package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/gen/standin"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// migrations are what --migrations and related flags say.
type migrations struct {
	*pathFlag
	opts     gen.Options
	standIns bool // for what the program registers: they make the same schema
}

// options returns the options of the flags and of the go:generate line of the directory.
// isPackage says whether there is one.
func (m *migrations) options() (opts gen.Options, isPackage bool) {
	line, isPackage := directive(m.value)
	opts = m.opts
	opts.Gaps = opts.Gaps || line.Gaps
	opts.DQS = opts.DQS || line.DQS
	opts.Prove = cmp.Or(opts.Prove, line.Prove)
	opts.Accept = append(opts.Accept, line.Accept...)
	return opts, isPackage
}

// migrationsDir returns the migrations directory that is meant where none is given: the
// current one, if it is one; else the one package of the module that has a generated file,
// or the file that init writes; else the one folder in it with files that are named like
// migrations in SQL; else the same of its workspace; else the folder migrations.
func migrationsDir(ctx context.Context) (string, error) {
	if isMigrations() {
		return ".", nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	var dirs []string
	if module, e := gomod.Find("."); module != nil && e == nil { // else the go command says what is wrong
		dirs, err = migrationsOf(ctx, here, module)
	}
	if len(dirs) == 0 && err == nil {
		modules, _ := gomod.Workspace(here)
		dirs, err = migrationsOf(ctx, here, modules...)
	}
	// One whose line is in a file of another name may be meant, too.
	if _, ok := directive("migrations"); err == nil && (ok || len(dirs) == 0) && !slices.Contains(dirs, "migrations") {
		dirs = append(dirs, "migrations")
	}
	if len(dirs) != 1 && err == nil {
		err = usage("there are several packages with migrations; want --migrations with one of " +
			wording.List(len(dirs), ", ", func(i int) string { return wording.CommandLine(filepath.ToSlash(dirs[i])) }))
	}
	if err != nil {
		return "", err
	}
	return dirs[0], nil
}

// migrationsOf returns the packages of the modules that hold migrations, or else the folders,
// as they are called here.
func migrationsOf(ctx context.Context, here string, modules ...*gomod.Module) ([]string, error) {
	var dirs, plain []string
	add := func(name string) {
		to, base := &dirs, filepath.Base(name)
		switch file, err := filename.Parse(base); {
		case base == gen.FileName:
		case base == "migrations.go":
			if _, ok := directive(filepath.Dir(name)); !ok {
				return
			}
		case err == nil && file.Ext == ".sql":
			to = &plain
		default:
			return
		}
		if dir, err := filepath.Rel(here, filepath.Dir(name)); err == nil && !slices.Contains(*to, dir) {
			*to = append(*to, dir)
		}
	}
	for _, module := range modules {
		if err := module.Names(ctx, add); err != nil {
			return nil, err
		}
	}
	if len(dirs) == 0 {
		dirs = plain
	}
	return dirs, nil
}

// isMigrations reports whether the current folder is, or is to be, a migrations directory.
func isMigrations() bool {
	if _, err := os.Stat(gen.FileName); err == nil {
		return true
	}
	if _, err := os.Stat("migrations"); err == nil {
		return false
	}
	entries, _ := os.ReadDir(".")
	for _, entry := range entries {
		if _, err := filename.Parse(entry.Name()); err == nil {
			return true
		}
	}
	_, problem := gen.PackageName(".") // a program may have the line for another folder
	_, ok := directive(".")
	return ok && problem == nil
}

// load reads and replays the migrations, for the commands that work on a directory whether
// or not it is a Go package. Double-quoted strings are accepted, with a warning.
func (m *migrations) load(ctx context.Context, s *streams) (*lockstep.Schema, error) {
	opts, _ := m.options()
	opts.DQS = true
	opts.Output = s
	load := gen.Load
	if m.standIns {
		load = new(standin.Names).Load
	}
	res, err := load(ctx, m.value, opts)
	if res, err = s.named(m.value, res, err); err != nil {
		return nil, err
	}
	return res.Schema, nil
}

// loadSchema is load for commands that need only the schema. Programs run only where it
// is not known without.
func (m *migrations) loadSchema(ctx context.Context, s *streams) (*lockstep.Schema, error) {
	m.opts.NoUpgrade = true
	schema, err := m.load(interpreter.Private(ctx), s)
	if err == nil && schema.Fingerprint == "" {
		return nil, fmt.Errorf("%s: the schema at version %v is not known: a program was not run, and %s does not record these migrations", m.value, schema.Expected, gen.FileName)
	}
	return schema, err
}

// Write is for what migrations that are programs print: it goes to standard error while
// they run on a database, nowhere while they are replayed for the schema.
func (s *streams) Write(b []byte) (int, error) {
	if s.migrating.Load() {
		return s.stderr.Write(b)
	}
	return len(b), nil
}

// named gives the files in warnings and problems the names that the user has for them.
func (s *streams) named(dir string, res *gen.Result, err error) (*gen.Result, error) {
	if res != nil {
		s.warnings = append(s.warnings, problemsIn(dir, res.Warnings)...)
	}
	return res, inDir(dir, err)
}

// inDir makes the files in problems relative to the current folder.
func inDir(dir string, err error) error {
	if problems := (gen.Problems)(nil); errors.As(err, &problems) {
		return problemsIn(dir, problems)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return gen.FileError(e.Path, err)
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
