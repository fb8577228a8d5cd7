package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// complain prints errors and returns the exit code. A problem in a migration
// begins with its place, as a compiler's does, so that an editor can go there;
// any other error begins with the name of the command.
func complain(stderr io.Writer, err error, fs *flag.FlagSet) int {
	code := 0
	for _, err := range flatten(err) {
		text := asStarted(message(err, fs))
		if _, ok := err.(gen.Problem); !ok {
			text = "lockstep: " + text
		}
		fmt.Fprintln(stderr, wording.PrintableLines(text))
		code = max(code, exitCode(err))
	}
	return code
}

// asStarted makes the commands in a text begin with "go tool lockstep" if the go command
// started this one: it builds a tool in its cache or in a temporary folder, and starts it
// by that name. The user's own program cannot know, and says "lockstep".
func asStarted(text string) string {
	if !cached.MatchString(os.Args[0]) {
		return text
	}
	ours := regexp.MustCompile(`\b(?:go tool )?lockstep (help|` + strings.Join(commandNames(), "|") + `)\b`)
	return ours.ReplaceAllString(text, "go tool lockstep $1")
}

var cached = regexp.MustCompile(`[/\\](?:[0-9a-f]{64}-d|go-build\d+[/\\]b\d+[/\\]exe)[/\\]lockstep(?:\.exe)?$`)

// flatten returns the errors that err joins.
func flatten(err error) (errs []error) {
	switch e := err.(type) {
	case nil:
		return nil
	case both:
		return append(flatten(e[0]), flatten(e[1])...)
	}
	if problems := (gen.Problems)(nil); errors.As(err, &problems) {
		for _, p := range problems {
			errs = append(errs, p)
		}
		return errs
	}
	return []error{err}
}

// both is two unrelated errors, either of which may be nil.
type both [2]error

func (b both) Error() string { return errors.Join(b[0], b[1]).Error() }

// message returns the text of an error as the user of the flags needs it.
func message(err error, fs *flag.FlagSet) string {
	fact, command, _ := strings.Cut(err.Error(), "\n\tlockstep ")
	if fs == nil {
		return err.Error()
	}
	// A path that was not given may not be the one that was meant.
	if f := fs.Lookup("db"); f != nil {
		p := f.Value.(*pathFlag)
		if about, _, missing := strings.Cut(fact, ": no such file"); missing && p.from != "" && (about == p.value || about == filepath.Dir(p.value)) {
			fact += "; the path is " + p.from + ": --db FILE names another"
		}
	}
	// A migration that others may have run is not one to do again.
	if m := fs.Lookup("migrations"); strings.HasPrefix(command, "redo ") && m != nil && gen.InHead(m.Value.String()) {
		command = ""
		if e := (*lockstep.Error)(nil); errors.As(err, &e) && e.Backup != "" {
			command = wording.CommandLine("restore", "--db", e.DB, e.Backup)
		}
	}
	if command != "" {
		fact += "\n\tlockstep " + command
	}
	// Without the flags that say where the migrations are, if the user gave them, these
	// commands would use others, or begin new ones.
	if name, _, _ := strings.Cut(command, " "); slices.Contains([]string{"enroll", "migrate", "new", "redo"}, name) {
		fs.Visit(func(f *flag.Flag) {
			if f.Name == "config" || f.Name == "migrations" {
				fact += " " + hyphened(f.Name) + " " + wording.CommandLine(f.Value.String())
			}
		})
	}
	return fact
}

// exitCode returns 1 for an error that answers the user's question: a problem in
// migrations, a refusal, a judgment of the runtime on a database. It returns 2 for others,
// which mean that there is no answer.
func exitCode(err error) int {
	switch kindOf(err) {
	case "busy", "unreadable", "backup", "other":
		return 2
	case "migration":
		if _, ok := engine.MachineFault(err); ok || errors.Is(err, context.Canceled) {
			return 2
		}
	}
	return 1
}

// kindOf returns the kind of an error for --json.
func kindOf(err error) string {
	if p := (gen.Problem{}); errors.As(err, &p) {
		return "problem"
	}
	if r := (*gen.Refusal)(nil); errors.As(err, &r) {
		return r.Kind
	}
	if m := (*lockstep.MigrationError)(nil); errors.As(err, &m) {
		return "migration"
	}
	for _, k := range []struct {
		err  error
		kind string
	}{
		{lockstep.ErrBehind, "behind"},
		{lockstep.ErrAhead, "ahead"},
		{lockstep.ErrUnmanaged, "unmanaged"},
		{lockstep.ErrManaged, "exists"},
		{lockstep.ErrDiverged, "diverged"},
		{lockstep.ErrDrift, "drift"},
		{lockstep.ErrBusy, "busy"},
		{lockstep.ErrStale, "stale"},
		{lockstep.ErrUnreadable, "unreadable"},
		{lockstep.ErrForeignKey, "foreign-key"},
		{lockstep.ErrBackup, "backup"},
		{sqlite3.BUSY, "busy"},
	} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return "other"
}

// document is what --json prints, with or without errors.
type document struct {
	Result   any          `json:"result"`
	Warnings gen.Problems `json:"warnings"`
	Errors   []jsonError  `json:"errors"`
}

type jsonError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`

	gen.Problem
	DB          string               `json:"db,omitempty"`
	Version     *lockstep.Version    `json:"version,omitempty"`
	Expected    *lockstep.Version    `json:"expected,omitempty"`
	Pending     []string             `json:"pending,omitempty"`
	Differences []sqltext.Difference `json:"differences,omitempty"`
	Violations  []lockstep.Violation `json:"violations,omitempty"`
	Culprits    *sqlite.Culprits     `json:"culprits,omitempty"`
	Digest      string               `json:"digest,omitempty"`
	Backup      string               `json:"backup,omitempty"`
}

// reportJSON prints the document and returns the exit code.
func reportJSON(stdout, stderr io.Writer, res any, warnings gen.Problems, err error, fs *flag.FlagSet) int {
	doc := document{Result: res, Warnings: append(gen.Problems{}, warnings...), Errors: []jsonError{}}
	code := 0
	for _, err := range flatten(err) {
		doc.Errors = append(doc.Errors, describe(err, fs))
		code = max(code, exitCode(err))
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(doc)
	if err == nil {
		_, err = stdout.Write(escaped(text.String()))
	}
	if err != nil {
		return complain(stderr, err, fs)
	}
	return code
}

// escaped writes what cannot be seen in JSON as JSON does.
func escaped(text string) (escaped []byte) {
	for _, r := range text {
		if r == '\n' || strconv.IsGraphic(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}

func describe(err error, fs *flag.FlagSet) jsonError {
	d := jsonError{Kind: kindOf(err), Message: asStarted(message(err, fs))}
	errors.As(err, &d.Problem)
	d.Fact, d.Command = asStarted(d.Fact), asStarted(d.Command)
	if e := (*lockstep.Error)(nil); errors.As(err, &e) {
		d.DB, d.Pending, d.Differences, d.Violations, d.Digest, d.Backup = e.DB, e.Pending, e.Differences, e.Violations, e.Digest, e.Backup
		switch d.Kind {
		case "unmanaged", "unreadable", "busy", "stale", "backup": // which version it is at is not known
		default:
			d.Version, d.Expected = &e.Version, &e.Expected
		}
	}
	if e := (*lockstep.MigrationError)(nil); errors.As(err, &e) {
		d.DB, d.Version, d.File, d.Line, d.Backup = e.DB, &e.Version, e.File, e.Line, e.Backup
		if e.Culprits.Rows != nil {
			d.Culprits = &e.Culprits
		}
	}
	return d
}

// columns returns the rows, each on a line, with their cells aligned.
func columns(rows [][]string) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	table.Flush()
	return blanks.ReplaceAllString(text.String(), "\n")
}

var blanks = regexp.MustCompile(` +\n`)

// templates has a file for each command, named for it, and what several have in common.
//
//go:embed templates
var templates embed.FS

// resultText returns what a command says by its template, in which a vertical tab is between
// the cells of a list.
func resultText(command string, result any) string {
	all := template.Must(template.New("").Funcs(template.FuncMap{
		"base": path.Base, "dir": filepath.Dir, "join": filepath.Join, "quote": wording.CommandLine, "started": asStarted,
		"printable": wording.Printable, "plain": sqltext.Plain, "count": wording.Count, "sum": sum, "marked": marked,
	}).ParseFS(templates, "templates/*"))
	var text, aligned strings.Builder
	if err := all.ExecuteTemplate(&text, command+".txt", result); err != nil {
		panic(err) // the template is wrong
	}
	var list [][]string
	for line := range strings.Lines(text.String()) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\v"); len(cells) > 1 {
			list = append(list, cells)
			continue
		}
		aligned.WriteString(columns(list) + line)
		list = nil
	}
	return aligned.String() + columns(list)
}

func sum(of map[string]int) (n int) {
	for _, i := range of {
		n += i
	}
	return n
}

// marked puts a mark before each line of a statement.
func marked(mark, sql string) string {
	if sql == "" {
		return ""
	}
	return mark + strings.ReplaceAll(strings.TrimSuffix(sql, ";"), "\n", "\n"+mark) + ";\n"
}

// indent puts a tab before each line that is not empty.
func indent(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix("\t"+strings.ReplaceAll(s, "\n", "\n\t"), "\t"), "\t\n", "\n")
}
