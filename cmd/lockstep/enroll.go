package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/gen/enroll"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func enrollCommand(fs *flag.FlagSet) action {
	db, m, timeout := dbFlag(fs), migrationsFlags(fs), timeoutFlag(fs)
	var r enroll.Request
	versionFlag(fs, "at", "`N`: the version that the database is at (default the newest)", func(v lockstep.Version) { r.At = v })
	fs.Func("from", "`TOOL`: take the version that goose, golang-migrate, dbmate or user_version recorded", func(name string) (err error) {
		r.From, err = enroll.ToolNamed(name)
		return err
	})
	noProgramsFlag(fs, &m.opts)
	return func(ctx context.Context, s *streams, _ []string) (result, error) {
		r.Path, r.Dir, r.Timeout = db.value, m.value, *timeout
		r.Load = func(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
			to := s
			if v != 0 { // the warnings are those of the newest
				to = &streams{stderr: io.Discard}
			}
			m.opts.To = v
			return m.loadSchema(ctx, to)
		}
		out, err := enroll.Run(ctx, r)
		if out == nil {
			return nil, err
		}
		s.warnings = append(s.warnings, out.Warnings...)
		_, isPackage := directive(r.Dir)
		return &enrollResult{r.Path, out, isPackage}, err
	}
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
