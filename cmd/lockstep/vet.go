package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/sqlcheck"
	"github.com/lockstep-db/lockstep/gen/vet"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// isVettool reports whether the command line is that of go vet asking a vettool:
// what it is, which flags it has, or to check the package that a .cfg file
// describes.
func isVettool(args []string) bool {
	if len(args) == 0 {
		return false
	}
	last := args[len(args)-1]
	return args[0] == "-V=full" || args[0] == "-flags" ||
		strings.HasSuffix(last, ".cfg") && (strings.HasPrefix(args[0], "-") || len(args) == 1)
}

// vettool answers go vet and ends the process. Go vet accepts the flags that the tool
// says it has: it claims the short names, too, to say how they are written.
func vettool() {
	if os.Args[1] == "-flags" {
		printFlags()
		os.Exit(0)
	}
	sqlcheck.Analyzer.Flags.VisitAll(func(f *flag.Flag) {
		written := "-" + sqlcheck.Analyzer.Name + "." + f.Name
		flag.BoolFunc(f.Name, "write "+written, func(string) error {
			var config unitchecker.Config
			text, _ := os.ReadFile(os.Args[len(os.Args)-1])
			if json.Unmarshal(text, &config) == nil && !config.VetxOnly { // not an import
				fmt.Fprintf(os.Stderr, "lockstep: with go vet, write %s for -%s\n", written, f.Name)
				os.Exit(2)
			}
			return nil
		})
	})
	readWholly()
	debug.SetGCPercent(400) // it checks one package and ends: collecting costs more than it frees
	unitchecker.Main(sqlcheck.Analyzer)
}

// printFlags prints the flags that go vet may pass on. They are those of unitchecker, which
// ignores some, but for -tags: for other tags, go vet would read all imports again.
func printFlags() {
	type described struct {
		Name string
		Bool bool
	}
	name := sqlcheck.Analyzer.Name
	flags := []described{{"json", true}, {"source", true}, {"all", true}, {name, true}}
	sqlcheck.Analyzer.Flags.VisitAll(func(f *flag.Flag) {
		flags = append(flags, described{f.Name, true}, described{name + "." + f.Name, true})
	})
	json.NewEncoder(os.Stdout).Encode(flags)
}

// readWholly has an import checked as the packages are that go vet was asked about, if it
// is the user's and "lockstep vet" asks, which picks what it wants from the answer. Go
// 1.26 caches one answer for both: a package first read as an import would lose its
// findings.
func readWholly() {
	name := os.Args[len(os.Args)-1]
	text, err := os.ReadFile(name)
	var config map[string]any
	if err != nil || json.Unmarshal(text, &config) != nil || config["VetxOnly"] != true || config["ModulePath"] == "" || config["ModuleVersion"] != "" ||
		!slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-json") }) {
		return
	}
	config["VetxOnly"] = false
	if text, err = json.Marshal(config); err == nil && os.WriteFile(name+".whole.cfg", text, 0o666) == nil {
		os.Args[len(os.Args)-1] = name + ".whole.cfg"
	}
}

func vetCommand(fs *flag.FlagSet) action {
	var v vet.Vet
	fix := fs.Bool("fix", false, "move broken pins in files whose SQL is right")
	fs.BoolVar(&v.Tests, "tests", false, "also check _test.go files")
	fs.BoolVar(&v.Why, "why", false, "report each string that was not checked, and why")
	since := fs.String("since", "", "`REV`: report what later migrations break in the program of this git revision")
	fs.StringVar(&v.Tags, "tags", "", "`LIST`: build tags, as for go build")
	return func(ctx context.Context, s *streams, packages []string) (any, error) {
		v.Packages = packages
		var err error
		var pins []genfile.Pin
		var found []vet.Finding
		switch {
		case *since != "" && (*fix || v.Why):
			return nil, usage("--since: want neither --fix nor --why")
		case *since != "":
			found, err = v.Since(ctx, *since)
		case *fix:
			pins, found, err = v.MovePins(ctx)
		default:
			found, err = v.Check(ctx)
		}
		if err != nil && ctx.Err() == nil {
			err = both{err, neverGenerated(ctx)}
		}
		out := vetResult{Pins: pinsFromHere(pins)}
		if found, out.Checked = vet.Count(found); !v.Why || *fix {
			out.Checked = nil // with --fix, some of it is about pins
		}
		return out, findings(s, found, err)
	}
}

// neverGenerated returns an error if a package does not compile because the migrations
// package was not generated yet.
func neverGenerated(ctx context.Context) error {
	dir, err := defaultDir(ctx)
	if _, ok := directive(dir); err != nil || !ok {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, gen.FileName)); err == nil {
		return nil
	}
	return refuseStale(dir, gen.FileName+": missing; "+wording.Generate(dir))
}

type vetResult struct {
	Pins    []genfile.Pin `json:"pins"`
	Checked *vet.Tally    `json:"checked,omitempty"`
}

// findings returns what was found as the errors of the command, under the names that
// the user has for the files.
func findings(s *streams, found []vet.Finding, failure error) error {
	var problems gen.Problems
	for _, f := range found {
		if filepath.IsAbs(f.File) {
			f.File = fromHere(f.File)
		}
		if f.Unchecked() {
			s.warnings = append(s.warnings, f.Problem)
		} else {
			problems = append(problems, f.Problem)
		}
	}
	if len(problems) == 0 {
		return failure
	}
	return both{problems, failure}
}

// breaks are the statements of a release that a migration breaks.
type breaks struct {
	Version    lockstep.Version `json:"version"`
	Release    string           `json:"release"`
	Statements []gen.Problem    `json:"statements"`
}

// Places returns where the first of the statements are.
func (b breaks) Places() string {
	var places []string
	for _, p := range b.Statements[:min(5, len(b.Statements))] {
		places = append(places, fmt.Sprintf("%s:%d", p.File, p.Line))
	}
	if len(places) < len(b.Statements) {
		places = append(places, "…")
	}
	return strings.Join(places, ", ")
}

// breaksOf returns what a new schema of dir breaks of the newest release.
func breaksOf(ctx context.Context, dir string, schema *lockstep.Schema) (all []breaks) {
	release, found := vet.Release(ctx, dir, schema)
	for _, f := range found {
		_, f.File, _ = strings.Cut(f.File, ":")
		i := slices.IndexFunc(all, func(b breaks) bool { return b.Version == f.Broken })
		if i < 0 {
			i, all = len(all), append(all, breaks{f.Broken, release, nil})
		}
		all[i].Statements = append(all[i].Statements, f.Problem)
	}
	slices.SortFunc(all, func(a, b breaks) int { return int(a.Version) - int(b.Version) })
	return all
}
