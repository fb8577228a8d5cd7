// Package vet is not for programs and promises nothing: it may change in any release.
//
// It runs go vet with [sqlcheck.Analyzer], and moves pins in the files that are right.
package vet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
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
	Tool     string   // a program that answers go vet with sqlcheck.Analyzer
	Tests    bool     // also check _test.go files
	Why      bool     // say why strings were not checked
	Tags     string   // as for go build
	Packages []string // as for go vet

	dir string   // where go vet runs, or ""
	env []string // beside that of this process
}

// A Finding is what the analyzer says about a place.
type Finding struct {
	gen.Problem // its File is absolute
	Category    string
	Broken      lockstep.Version // by this migration: see Since
}

// Unchecked reports whether the finding is that something was not checked.
func (f *Finding) Unchecked() bool {
	return slices.Contains([]string{"why", "apart", "part", "where", "count"}, f.Category)
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
	for i, f := range found {
		switch f.Category {
		case "count":
			var full, part int
			fmt.Sscanf(f.Fact, "strings checked in full: %d, for names: %d", &full, &part)
			if i+1 == len(found) || found[i+1].Category != "count" || found[i+1].File != f.File { // else of the package without tests
				t.Full, t.Part = t.Full+full, t.Part+part
			}
			continue
		case "part":
			t.Part++
		case "why", "apart":
			t.Left[strings.TrimPrefix(f.Fact, "not checked: ")]++
		}
		rest = append(rest, f)
	}
	return rest, t
}

// Run returns what go vet finds, with more flags for it, in order of file and line. The
// error says that some packages could not be checked.
func (v *Vet) Run(ctx context.Context, flags ...string) ([]Finding, error) {
	found, err := v.run(ctx, v.Tests, flags...)
	if !v.Why {
		found = slices.DeleteFunc(found, func(f Finding) bool { return f.Unchecked() })
	}
	return found, err
}

// run runs go vet. Its error has all that the go command said.
//
// When the flags of an analyzer differ from last time, go vet runs it on all imports
// again, with those of the standard library. So -why is always among them.
func (v *Vet) run(ctx context.Context, tests bool, flags ...string) ([]Finding, error) {
	args := append([]string{"vet", "-vettool=" + v.Tool, "-json", "-" + sqlcheck.Analyzer.Name + ".why"}, flags...)
	if tests {
		args = append(args, "-"+sqlcheck.Analyzer.Name+".tests")
	}
	cmd := gomod.Command(ctx, slices.Concat(args, v.buildFlags(), v.Packages)...)
	cmd.Dir = v.dir
	cmd.Env = append(cmd.Environ(), v.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, failure := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(failure, &exit) {
		failure = fmt.Errorf("go vet: %w", failure)
		if said := strings.TrimSpace(stderr.String()); said != "" {
			failure = fmt.Errorf("go vet:\n\t%s", strings.ReplaceAll(said, "\n", "\n\t"))
		}
	}
	found, err := findings(stdout)
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
// each analyzer.
func findings(stdout []byte) (found []Finding, err error) {
	for dec := json.NewDecoder(bytes.NewReader(stdout)); dec.More(); {
		var units map[string]map[string][]struct{ Category, Posn, Message string }
		if err := dec.Decode(&units); err != nil {
			return nil, fmt.Errorf("go vet: %w", err)
		}
		for _, analyzers := range units {
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
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Fact, b.Fact))
	})
	return slices.Compact(found), nil // a tested package is checked twice
}

// position matches file:line:col, where col, or both, may be missing.
var position = regexp.MustCompile(`^(.*?)(?::([0-9]+))?(?::([0-9]+))?$`)
