// Package vet is not for programs and promises nothing: it may change in any release.
//
// It runs go vet with this program, which answers with [sqlcheck.Analyzer], and moves pins in
// files whose SQL is right.
package vet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/gen/sqlcheck"
	"github.com/lockstep-db/lockstep/runtime"
)

// Vet says what to check.
type Vet struct {
	Tests    bool     // also check _test.go files
	Why      bool     // say why strings were not checked
	Tags     string   // as for go build
	Packages []string // as for go vet

	dir   string            // where go vet runs, or ""
	env   []string          // beside that of this process
	texts map[string][]byte // to read in place of files
}

// A Finding is what the analyzer says about a place.
type Finding struct {
	gen.Problem // its File is absolute
	Category    string
	Broken      lockstep.Version // by this migration: see Since
}

// Unchecked reports whether the finding is that something was not checked.
func (f *Finding) Unchecked() bool {
	return slices.Contains([]string{"why", "apart", "part", "where", "full", "names", "later", "doubt", "decided", "none"}, f.Category)
}

// A Tally is how many strings were checked.
type Tally struct {
	Full int            `json:"full"`
	Part int            `json:"part"` // for names that the schema does not have
	Left map[string]int `json:"left"` // not at all, by reason
}

// Count takes what [Vet.Why] adds to findings, to say how many strings were not checked,
// and why.
func Count(found []Finding) (rest []Finding, t *Tally) {
	t = &Tally{Left: map[string]int{}}
	for _, f := range found {
		switch f.Category {
		case "full":
			t.Full++
			continue
		case "names":
			t.Part++
			continue
		case "part":
			t.Part++
		case "why", "apart", "later":
			t.Left[strings.TrimPrefix(f.Fact, "not checked: ")]++
		}
		rest = append(rest, f)
	}
	return rest, t
}

// Check is [Vet.Run] for people, whom silence would mislead: if no SQL was checked because
// nothing brings it together with a schema, that is a finding.
func (v *Vet) Check(ctx context.Context) ([]Finding, error) {
	all := *v
	all.Why = true
	found, err := all.Run(ctx)
	if v.Why {
		return found, err
	}
	rest, tally := Count(found)
	var none []Finding
	for _, f := range rest {
		if f.Category == "later" && len(none) == 0 && tally.Full+tally.Part == 0 {
			f.Category, f.Fact = "none", "no SQL was checked: neither this package nor one that uses it imports a migrations package; lockstep vet --why lists the strings"
			none = append(none, f)
		}
	}
	return append(none, slices.DeleteFunc(rest, func(f Finding) bool { return f.Unchecked() })...), err
}

// Run returns what go vet finds, in order of file and line. The error says that some
// packages could not be checked.
//
// What the packages leave to those that import them is asked of those of the same module,
// also of those that are not named: a finding does not depend on what else is.
func (v *Vet) Run(ctx context.Context) ([]Finding, error) {
	args := v.buildFlags()
	if len(v.texts) > 0 {
		dir, err := os.MkdirTemp("", "lockstep-vet-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		flag, err := v.overlay(dir)
		if err != nil {
			return nil, err
		}
		args = append(args, flag)
	}
	named := map[string]bool{"command-line-arguments": true} // by import path
	patterns := slices.DeleteFunc(slices.Clone(v.Packages), func(p string) bool { return strings.HasSuffix(p, ".go") })
	if len(patterns) > 0 || len(v.Packages) == 0 {
		for _, p := range v.list(ctx, args, patterns) {
			named[p.ImportPath] = true
		}
	}
	found, err := v.goVet(ctx, args, v.Packages, named)
	left := map[string]bool{}
	for _, f := range undecided(found) {
		if f.leavesOpen() {
			left[filepath.Dir(f.File)] = true
		}
	}
	if more := v.importers(ctx, args, left, named); len(more) > 0 {
		theirs, failure := v.goVet(ctx, args, slices.Collect(maps.Keys(more)), more)
		err = cmp.Or(err, failure)
		for _, f := range theirs {
			if left[filepath.Dir(f.File)] {
				found = append(found, f)
			}
		}
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Fact, b.Fact))
	})
	found = slices.Compact(found) // a tested package is checked twice
	return slices.DeleteFunc(undecided(found), func(f Finding) bool {
		return f.Category == "decided" || !v.Why && f.Unchecked()
	}), err
}

// overlay returns the flag of the go command that has it read other texts in place of files,
// which it writes into dir.
func (v *Vet) overlay(dir string) (flag string, err error) {
	replace := map[string]string{}
	for file, text := range v.texts {
		folder, err := os.MkdirTemp(dir, "")
		if err != nil {
			return "", err
		}
		replace[file] = filepath.Join(folder, filepath.Base(file))
		// What is found in the copy has the name of the original.
		text := slices.Concat([]byte("//line "+file+":1:1\n"), text)
		if err := os.WriteFile(replace[file], text, 0o666); err != nil {
			return "", err
		}
	}
	index := filepath.Join(dir, "overlay.json")
	return "-overlay=" + index, gomod.WriteOverlay(index, replace)
}

// leavesOpen reports whether packages that import this one may know more.
func (f *Finding) leavesOpen() bool { return f.Category == "later" || f.Category == "doubt" }

// undecided returns the findings without those of one package that another has decided.
func undecided(found []Finding) (rest []Finding) {
	decided := map[gen.Problem]bool{}
	place := func(f Finding) gen.Problem { return gen.Problem{File: f.File, Line: f.Line, Col: f.Col} }
	for _, f := range found {
		if f.Category == "decided" {
			decided[place(f)] = true
		}
	}
	for _, f := range found {
		if !f.leavesOpen() || !decided[place(f)] {
			rest = append(rest, f)
		}
	}
	return rest
}

// importers returns the packages that import those in the directories, directly or not,
// are of the same modules, and are not named.
func (v *Vet) importers(ctx context.Context, flags []string, dirs, named map[string]bool) map[string]bool {
	modules := map[string]bool{}
	for dir := range dirs {
		if module, err := gomod.Find(dir); err == nil && module != nil {
			modules[module.Path+"/..."] = true
		}
	}
	if len(modules) == 0 {
		return nil
	}
	all := v.list(ctx, append([]string{"-test"}, flags...), slices.Collect(maps.Keys(modules)))
	left, importers := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		left[p.ImportPath] = dirs[p.Dir]
	}
	for _, p := range all {
		path := cmp.Or(p.ForTest, p.ImportPath)
		if !named[path] && !strings.HasSuffix(path, ".test") && slices.ContainsFunc(p.Deps, func(dep string) bool { return left[dep] }) {
			importers[path] = true
		}
	}
	return importers
}

// A listed package is what go list says of one.
type listed struct {
	Dir, ImportPath, ForTest                     string
	DepOnly                                      bool // it is there for another
	Deps                                         []string
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string // in Dir
}

// list runs go list. What is wrong with the packages is for go vet to say.
func (v *Vet) list(ctx context.Context, flags, patterns []string) (all []listed) {
	what := "-json=Dir,ImportPath,ForTest,DepOnly,Deps,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles"
	out, _ := v.goCommand(ctx, slices.Concat([]string{"list", "-e", what}, flags, patterns)).Output()
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if dec.Decode(&p) != nil {
			return all
		}
		all = append(all, p)
	}
}

func (v *Vet) goCommand(ctx context.Context, args []string) *exec.Cmd {
	cmd := gomod.Command(ctx, args...)
	cmd.Dir = v.dir
	cmd.Env = append(cmd.Environ(), v.env...)
	return cmd
}

// goVet runs go vet, and returns what it finds in the named ones of the packages that it
// reads, which may also be imports. Its error has all that the go command said.
//
// When the flags of an analyzer differ from last time, go vet runs it on all imports
// again, with those of the standard library. So it always has the same.
func (v *Vet) goVet(ctx context.Context, flags, packages []string, named map[string]bool) ([]Finding, error) {
	tool, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := sqlcheck.Analyzer.Name
	args := []string{"vet", "-vettool=" + tool, "-json", "-" + name + ".why", "-" + name + ".tests"}
	cmd := v.goCommand(ctx, slices.Concat(args, flags, packages))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, failure := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(failure, &exit) {
		failure = fmt.Errorf("go vet: %w", failure)
		if said := strings.TrimSpace(stderr.String()); said != "" {
			failure = fmt.Errorf("go vet:\n\t%s", strings.ReplaceAll(said, "\n", "\n\t"))
		}
	}
	found, err := findings(stdout, named)
	if !v.Tests {
		found = slices.DeleteFunc(found, func(f Finding) bool { return strings.HasSuffix(f.File, "_test.go") })
	}
	return found, cmp.Or(err, ctx.Err(), failure)
}

// buildFlags are those of the go command that select files.
func (v *Vet) buildFlags() []string {
	if v.Tags == "" {
		return nil
	}
	return []string{"-tags=" + v.Tags}
}

// findings reads what go vet -json prints: an object for each package, with an entry for
// each analyzer. It takes those that are named, with their tests.
func findings(stdout []byte, named map[string]bool) (found []Finding, err error) {
	for dec := json.NewDecoder(bytes.NewReader(stdout)); dec.More(); {
		var units map[string]map[string][]struct{ Category, Posn, Message string }
		if err := dec.Decode(&units); err != nil {
			return nil, fmt.Errorf("go vet: %w", err)
		}
		for unit, analyzers := range units {
			path, _, _ := strings.Cut(unit, " [") // "x [x.test]"
			if !named[path] && !named[strings.TrimSuffix(path, "_test")] {
				continue
			}
			for _, diagnostics := range analyzers {
				for _, d := range diagnostics {
					f := Finding{Problem: gen.Problem{Fact: d.Message}, Category: d.Category}
					if at := position.FindStringSubmatch(d.Posn); at != nil {
						f.File = at[1]
						f.Line, _ = strconv.Atoi(at[2])
						f.Col, _ = strconv.Atoi(at[3])
					}
					found = append(found, f)
				}
			}
		}
	}
	return found, nil
}

// position matches file:line:col, where col, or both, may be missing.
var position = regexp.MustCompile(`^(.*?)(?::([0-9]+))?(?::([0-9]+))?$`)
