package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/sqlcheck"
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

// vettool answers go vet and ends the process.
func vettool() { unitchecker.Main(sqlcheck.Analyzer) }

func vetCommand() command {
	return command{
		name:  "vet",
		args:  "[-fix] [-tests] [-why] [-tags LIST] [PACKAGE]...",
		short: "have SQLite read the SQL in Go code, against the schema of the migrations",
		long: `
Prepares every SQL string of the packages against the schema that lockstep_gen.go
records, and reports what SQLite refuses, and calls with the wrong number of
arguments or destinations, with file, line and column. It also says which
migrations have changed since lockstep_gen.go was generated. Nothing is run, and no
database is opened. It is

	go vet -vettool=$(go tool -n lockstep) PACKAGE...

with each report once. Packages are named as for go vet; what did not change since
the last time is not looked at again. "go vet" itself checks other things: run both.

"lockstep vet" leaves _test.go files out unless -tests is given. With -why it says of
each string that it did not check why. These comments silence it:

	//lockstep:ignore REASON         the line, or the one below
	//lockstep:off                   the file
	//lockstep:schema none           the package

With -fix it moves the pins that a new migration has broken to that migration, in
files of which SQLite accepts all SQL that could be checked. The other files it
leaves for a person to read, and reports what is in them.

The exit code is 1 if there is anything to report, 2 if a package does not compile.

Example:

	$ lockstep vet ./...
	store.go:52:31: at version 0008: no such column: body

With -json, "errors" has what was found (file, line, col, fact), "warnings" what -why
says, and "result" has pins: those that -fix has moved (file, line, col, pinned,
newest).`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			var v vet
			fs.BoolVar(&v.fix, "fix", false, "move broken pins where all SQL of the file is right")
			fs.BoolVar(&v.tests, "tests", false, "check _test.go files, too")
			fs.BoolVar(&v.why, "why", false, "say of each string that was not checked why")
			fs.StringVar(&v.tags, "tags", "", "`LIST`: build tags, as for go build")
			return func(ctx context.Context, s *streams, packages []string) (result, error) {
				v.packages = packages
				if v.fix {
					return v.movePins(ctx, s)
				}
				found, err := v.run(ctx, "")
				return vetResult{Pins: []genfile.Pin{}}, v.report(s, found, err)
			}
		},
	}
}

type vetResult struct {
	Pins []genfile.Pin `json:"pins"`
}

func (r vetResult) print(w io.Writer) {
	for _, p := range r.Pins {
		fmt.Fprintf(w, "%s:%d:%d: was pinned to %s; now to %s\n", p.File, p.Line, p.Col, p.Pinned, p.Newest)
	}
}

// vet is a run of go vet with this program as its tool.
type vet struct {
	fix, tests, why bool
	tags            string
	packages        []string
}

// A finding is what the analyzer says about a place.
type finding struct {
	gen.Problem
	category string
}

// run returns what go vet finds. overlay is a file that has the go command read
// other texts in place of some files, or "".
//
// The error says that some packages could not be checked.
func (v *vet) run(ctx context.Context, overlay string) ([]finding, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"vet", "-vettool=" + self, "-json"}
	if v.why {
		args = append(args, "-"+sqlcheck.Analyzer.Name+".why")
	}
	switch {
	case overlay != "":
		// What is found in a copy has the copy's name, and is cached by the text and
		// by the flags as they are spelled. Spelled otherwise, it is never the answer
		// to a run without overlay.
		args = append(args, "-overlay="+overlay, "-"+sqlcheck.Analyzer.Name+".tests=TRUE")
	case v.tests:
		args = append(args, "-"+sqlcheck.Analyzer.Name+".tests")
	}
	args = append(args, v.buildFlags()...)
	stdout, failure := goCommand(ctx, append(args, v.packages...)...)
	found, err := findings(stdout)
	return found, cmp.Or(err, failure)
}

// buildFlags returns the flags that both go vet and go list take.
func (v *vet) buildFlags() []string {
	if v.tags == "" {
		return nil
	}
	return []string{"-tags=" + v.tags}
}

// goCommand runs the go command. Its error holds all that the go command said.
func goCommand(ctx context.Context, args ...string) (stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	// It removes its temporary files when it is interrupted, and not when it is killed.
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) == nil {
			return nil
		}
		return cmd.Process.Kill() // on Windows
	}
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err = cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if stderr.Len() > 0 {
			err = fmt.Errorf("go %s:\n%s", args[0], indent(strings.TrimSpace(stderr.String())))
		} else {
			err = fmt.Errorf("go %s: %w", args[0], err)
		}
	}
	return stdout, cmp.Or(ctx.Err(), err)
}

// findings reads what go vet -json prints: an object for each package, which has
// the analyzer's name for a key.
func findings(stdout []byte) (found []finding, err error) {
	type diagnostic struct {
		Category, Posn, Message string
	}
	dec := json.NewDecoder(bytes.NewReader(stdout))
	for {
		var units map[string]map[string]json.RawMessage
		if err := dec.Decode(&units); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go vet: %w", err)
		}
		for unit, analyzers := range units {
			for _, text := range analyzers {
				var diagnostics []diagnostic
				if err := json.Unmarshal(text, &diagnostics); err != nil {
					var failed struct{ Error string }
					if err := json.Unmarshal(text, &failed); err != nil {
						return nil, fmt.Errorf("go vet: %w", err)
					}
					return nil, fmt.Errorf("%s: %s", unit, failed.Error)
				}
				for _, d := range diagnostics {
					f := finding{gen.Problem{Fact: d.Message}, d.Category}
					f.File, f.Line, f.Col = splitPosition(d.Posn)
					found = append(found, f)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Fact, b.Fact))
	})
	return slices.Compact(found), nil // a file is part of more than one package when it is tested
}

// splitPosition reads file:line:col, where col, or both, may be missing.
func splitPosition(s string) (file string, line, col int) {
	file = s
	var numbers []int
	for len(numbers) < 2 {
		i := strings.LastIndexByte(file, ':')
		if i < 0 {
			break
		}
		n, err := strconv.Atoi(file[i+1:])
		if err != nil {
			break
		}
		file, numbers = file[:i], append(numbers, n)
	}
	switch len(numbers) {
	case 1:
		line = numbers[0]
	case 2:
		line, col = numbers[1], numbers[0]
	}
	return file, line, col
}

// report returns the findings as the errors of the command, under the names that
// the user has for the files.
func (v *vet) report(s *streams, found []finding, failure error) error {
	var problems gen.Problems
	for _, f := range found {
		f.File = fromHere(f.File)
		if f.category == "why" {
			s.warnings = append(s.warnings, f.Problem)
		} else {
			problems = append(problems, f.Problem)
		}
	}
	if len(problems) == 0 {
		return failure
	}
	return join(problems, failure)
}

// fromHere returns the name of a file as seen from the current folder.
func fromHere(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if name, err := filepath.Rel(here, file); err == nil {
		return name
	}
	return file
}
