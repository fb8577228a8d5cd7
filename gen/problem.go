package gen

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Problem is something in a directory that must be fixed, and where it is.
type Problem struct {
	File    string `json:"file,omitempty"`    // the migration's name, or the directory
	Line    int    `json:"line,omitempty"`    // from 1, or 0 when the problem is the file's as a whole
	Col     int    `json:"col,omitempty"`     // in bytes, as Line
	Fact    string `json:"fact,omitempty"`    // what is so; what would be right
	Command string `json:"command,omitempty"` // that repairs it, or ""
	Rows    string `json:"rows,omitempty"`    // statements, one a line, that make rows which show it
}

// Error returns the problem as "file:line:col: fact", with the command, if there
// is one, and the rows on lines that begin with a tab.
func (p Problem) Error() string {
	at := p.File
	for _, n := range []int{p.Line, p.Col} {
		if n > 0 {
			at += ":" + strconv.Itoa(n)
		}
	}
	text := at + ": " + p.Fact
	for line := range strings.Lines(p.Command + "\n" + p.Rows) {
		if line != "\n" {
			text += "\n\t" + strings.TrimSuffix(line, "\n")
		}
	}
	return text
}

// Problems are all that a run found, in order of file and line. As an error, they are
// never empty.
type Problems []Problem

// Error returns the problems one per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// err returns the problems in order, or nil when there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	for i, p := range ps {
		if registered.MatchString(p.Fact) && p.Command == "" {
			ps[i].Fact, ps[i].Command = p.Fact+"; if the program registers it, generate with a program that does", "lockstep help drivers"
		}
	}
	ps.sort()
	return ps
}

// registered matches what SQLite says of what a program can register on its connections.
var registered = regexp.MustCompile(`(?:no such|unknown) (?:function|module|collation sequence|tokenizer): [^;]*$`)

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col)
	})
}

// hasPlace reports whether one of the problems is at the place of another.
func (ps Problems) hasPlace(p Problem) bool {
	return slices.ContainsFunc(ps, func(q Problem) bool { return p.File == q.File && p.Line == q.Line && p.Col == q.Col })
}

// A Refusal is an error about what a directory has, or lacks, as a whole.
type Refusal struct {
	Kind string // "missing", "exists", "ambiguous"
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// Refuse returns a [Refusal].
func Refuse(kind, format string, args ...any) error {
	return &Refusal{kind, fmt.Sprintf(format, args...)}
}

// FileError names the file as the user did, in place of what package os writes.
func FileError(path string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
