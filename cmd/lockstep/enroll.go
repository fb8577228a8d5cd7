package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/enroll"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func enrollCommand() command {
	return command{
		name: "enroll",
		flags: func(fs *flag.FlagSet) action {
			db, migrations := dbFlag(fs), migrationsFlag(fs)
			var at versionFlag
			fs.Var(&at, "at", "`N`: the version that the database is at (default the newest)")
			var from toolFlag
			fs.Var(&from, "from", "`TOOL`: take the version that goose, golang-migrate, dbmate or user_version recorded")
			gaps, timeout, noPrograms := gapsFlag(fs), timeoutFlag(fs), noProgramsFlag(fs)
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				return runEnroll(ctx, s, gen.Options{Gaps: *gaps, NoPrograms: *noPrograms}, enroll.Request{
					Path: db.value, Dir: migrations.value, At: lockstep.Version(at), From: from.tool, Timeout: *timeout,
				})
			}
		},
	}
}

func runEnroll(ctx context.Context, s *streams, opts gen.Options, r enroll.Request) (result, error) {
	r.Load = func(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
		to := s
		if v != 0 { // the warnings are those of the newest
			to = &streams{stderr: io.Discard}
		}
		opts.To = v
		res, err := load(interpreter.Private(ctx), to, r.Dir, opts)
		if err == nil {
			err = known(r.Dir, res)
		}
		if err != nil {
			return nil, err
		}
		return res.Schema, nil
	}
	out, err := enroll.Run(ctx, r)
	if out == nil {
		return nil, err
	}
	s.warnings = append(s.warnings, out.Warnings...)
	if err != nil && out.Fits > 0 {
		err = refuse("differs", "%v; its schema is that of version %v\n\tlockstep enroll --db %s --at %d", err, out.Fits, wording.CommandLine(r.Path), out.Fits)
	}
	_, isPackage := directive(r.Dir)
	return &enrollResult{r.Path, out, isPackage}, err
}

// toolFlag is --from.
type toolFlag struct{ tool *enroll.Tool }

func (f *toolFlag) String() string { return "" }

func (f *toolFlag) Set(s string) error {
	var names []string
	for _, t := range enroll.Tools {
		if t.Name == s {
			f.tool = t
			return nil
		}
		names = append(names, t.Name)
	}
	return errors.New("want one of " + strings.Join(names, ", "))
}

type enrollResult struct {
	DB string `json:"db"`
	*enroll.Result

	isPackage bool // its directory has a go:generate line
}

func (r *enrollResult) print(w io.Writer) {
	printDifferences(w, r.Changed)
	if !r.Enrolled {
		return
	}
	if r.File != "" {
		counts := map[string]int{}
		for _, o := range r.Objects {
			counts[o.Type]++
		}
		var parts []string
		for _, kind := range []string{"table", "index", "view", "trigger"} {
			if n := counts[kind]; n > 0 {
				parts = append(parts, wording.Count(n, kind))
			}
		}
		fmt.Fprintf(w, "%s: written: %s\n", r.File, strings.Join(parts, ", "))
	}
	fmt.Fprintf(w, "%s: enrolled at version %v", r.DB, r.Version)
	if r.From != nil {
		fmt.Fprintf(w, " (%v)", r.From)
	}
	fmt.Fprintln(w)

	say := func(text string, lines ...string) {
		fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(strings.Join(lines, "\n")))
	}
	var lines []string
	for _, t := range r.Rows {
		lines = append(lines, t.Table+": "+wording.Count(int(t.Rows), "row"))
	}
	if len(lines) > 0 {
		say("A new database will have the tables and no rows. If the program needs rows from the\n"+
			"start, add INSERTs to the file. Tables with few rows:", lines...)
	}
	lines = nil
	for _, s := range r.Settings {
		lines = append(lines, "PRAGMA "+s.Pragma+" = "+s.Value)
	}
	if len(lines) > 0 {
		say("Settings of this database that are not part of its schema; a new one will not have them:", lines...)
	}
	for _, t := range r.LeftAlone {
		say(fmt.Sprintf("%s keeps its version in %s, which was left alone.\nOnce no program needs it, a migration can drop it:", t.Name, t.Table),
			"DROP TABLE IF EXISTS "+t.Table+";")
	}
	if r.File == "" {
		return
	}
	if r.Quotes {
		say("The file has strings in double quotes, which some builds of SQLite refuse. Put them in\n"+
			"single quotes, or add --dqs to the go:generate line:", "//"+"go:generate go tool lockstep generate --dqs")
	}
	if !r.isPackage {
		say("Make a Go package of the directory:", "lockstep init "+wording.CommandLine(filepath.Dir(r.File)))
	}
	say("Read the file, generate, and commit both before any other database gets it:", "go generate ./...")
}
