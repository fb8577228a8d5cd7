package gen

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A migration is one file of the directory and what the replay learns about it.
type migration struct {
	filename.Name
	name     string
	checksum string
	accepted []string        // earlier checksums
	script   *sqltext.Script // its text and, of SQL, its tokens
	// Of SQL:
	alone      bool // runs outside of the upgrade's transaction
	cut        []sqltext.Statement
	statements []*statement // the same, with what their words say
}

// sql reports whether the migration is one that SQLite reads, not a program.
func (m *migration) sql() bool { return m.Ext != ".go" && m.Ext != ".py" && m.Ext != ".sh" }

// at returns a problem at offset pos of the migration's text.
func (m *migration) at(pos int, format string, args ...any) Problem {
	return Problem{
		File: m.name,
		Line: m.script.Line(pos),
		Col:  m.script.Column(pos),
		Fact: fmt.Sprintf(format, args...),
	}
}

// scan reads the migrations of dir, in order of number. It reports every problem of
// the directory and of its files that shows without running them.
func scan(dir string, gaps bool) ([]*migration, Problems, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Problems{{File: place(dir), Fact: "no such directory", Command: "lockstep init"}}, nil
	}
	if err != nil {
		return nil, nil, err
	}

	var (
		migrations []*migration
		problems   Problems
		taken      = map[lockstep.Version]string{} // the numbers in use, by which file; "" if its name is not quite right
	)
	goPackage := sync.OnceValue(func() string {
		name, _ := PackageName(dir)
		return name
	})
	for _, entry := range entries { // sorted by name, so by number where names are right
		name := entry.Name()
		report := func(format string, args ...any) {
			problems = append(problems, Problem{File: name, Fact: fmt.Sprintf(format, args...)})
		}
		parsed, err := filename.Parse(name)
		if errors.Is(err, filename.ErrNotMigration) {
			continue
		}
		if err != nil {
			report("%v", err)
			if parsed.Version > 0 {
				taken[parsed.Version] += "" // or the name of another file
			}
			continue
		}
		if other := taken[parsed.Version]; other != "" {
			report("number %v is already used by %s", parsed.Version, other)
			continue
		}
		taken[parsed.Version] = name
		if fault := unsuitable(entry, parsed); fault != "" {
			report("%s", fault)
			continue
		}
		m := &migration{Name: parsed, name: name}
		if fault := m.read(dir, goPackage); fault != nil {
			problems = append(problems, fault...)
			continue
		}
		migrations = append(migrations, m)
	}
	if len(taken) == 0 || len(problems) > 0 {
		if fact, command := othertool.Whose(dir); fact != "" {
			return nil, Problems{{File: place(dir), Fact: fact, Command: command}}, nil
		}
	}
	if len(taken) == 0 && len(problems) == 0 {
		return nil, Problems{{File: place(dir), Fact: "no migrations; want 0001-….sql", Command: "lockstep new NAME"}}, nil
	}
	if !gaps {
		problems = append(problems, gapsBetween(taken)...)
	}
	return migrations, problems, nil
}

// gapsBetween reports the numbers that are missing, at the file after each gap. A
// number in a name that is not quite right is not missing.
func gapsBetween(taken map[lockstep.Version]string) (problems Problems) {
	after, want := "first", lockstep.Version(1)
	for _, n := range slices.Sorted(maps.Keys(taken)) {
		if name := taken[n]; name != "" && n != want {
			problems = append(problems, Problem{File: name, Fact: fmt.Sprintf("found %v %s; want %v", n, after, want)})
		}
		after, want = "after "+n.String(), n+1
	}
	return problems
}

// place returns dir for people to read: go generate runs in ".".
func place(dir string) string {
	if filepath.Clean(dir) == "." {
		if abs, err := filepath.Abs(dir); err == nil {
			return filepath.Base(abs)
		}
	}
	return filepath.ToSlash(dir)
}

// unsuitable says what is wrong with a file that has a migration's name, or "".
func unsuitable(entry fs.DirEntry, name filename.Name) string {
	switch kind := entry.Type(); {
	case kind&fs.ModeSymlink != 0:
		return "is a symbolic link; go:embed needs a regular file"
	case kind.IsDir():
		return "is a directory with a migration's name; want a regular file"
	case !kind.IsRegular():
		return "is not a regular file"
	case name.Ext == ".go":
		return dropsOut(entry.Name())
	}
	return ""
}

// read reads the migration's text and returns what is wrong with it.
func (m *migration) read(dir string, goPackage func() string) Problems {
	whole := func(fact string) Problems { return Problems{{File: m.name, Fact: fact}} }
	bytes, err := os.ReadFile(filepath.Join(dir, m.name))
	if err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = e.Err // Problem has the path
		}
		return whole(err.Error())
	}
	if m.Ext == ".go" {
		return m.readGo(bytes, goPackage())
	}
	text := sqltext.Normalize(bytes)
	m.script = &sqltext.Script{Text: text}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return Problems{m.at(i, "NUL byte; %s would stop reading here", readers[m.Ext])}
	}
	if !utf8.ValidString(text) {
		return Problems{m.at(strings.IndexRune(text, utf8.RuneError), "not UTF-8; save the file as UTF-8")}
	}
	if !m.sql() {
		m.checksum = scriptPrograms[m.Ext].Checksum(bytes)
		if !command.MatchString(text) && !explained(text) {
			return whole(noStatement)
		}
		return nil
	}
	m.parse(text)
	m.checksum = m.script.Checksum()
	problems := append(m.directives(), m.annotations()...)
	if !m.script.IsIdle() {
		return problems
	}
	fact := noStatement
	for _, s := range m.cut {
		text, fact = strings.Replace(text, s.SQL, "", 1), "only statements that an upgrade skips; want a statement, or a comment that says why there is none"
	}
	if m.alone || !explained(text) {
		problems = append(problems, whole(fact)...)
	}
	return problems
}

const noStatement = "no statement; want at least one, or a comment that says why there is none"

// explained reports whether the text of a migration that does nothing says why. The
// comment with which "lockstep new" begins a file says nothing.
func explained(text string) bool {
	text = interpreterLine.ReplaceAllString(text, "")
	return word.MatchString(text) && !strings.Contains(text, "\n-- Write the SQL that takes a database from version ")
}

var (
	interpreterLine = regexp.MustCompile(`^#!.*`)
	word            = regexp.MustCompile(`[\pL\pN]`)
	command         = regexp.MustCompile(`(?m)^\s*[^#\s]`) // of a script: neither blank nor a comment
)

// readers are what reads migrations, by extension.
var readers = map[string]string{".sql": "SQLite", ".py": "Python", ".sh": "the shell"}

const (
	noTransaction = "no-transaction"
	noCascade     = "no-cascade"
	intended      = "intended"
	assumes       = "assumes"
)

// directives reports the directives that are unknown or in the wrong place.
func (m *migration) directives() (problems Problems) {
	for i, token := range m.script.Tokens {
		words, ok := m.script.Directive(i)
		verb, _, more := strings.Cut(words, " ")
		switch {
		case !ok || words == noCascade || (verb == intended || verb == assumes) && more:
		case words == intended:
			problems = append(problems, m.at(token.Pos, `"-- lockstep: intended" needs a reason; write it after the word`))
		case words == assumes:
			problems = append(problems, m.at(token.Pos, `"-- lockstep: assumes" needs a fact; write it after the word`))
		case words == noTransaction && (i > 0 || m.script.Line(token.Pos) > 1):
			problems = append(problems, m.at(token.Pos, `"-- lockstep: no-transaction" must be the first line; move it there`))
		case words != noTransaction:
			problems = append(problems, m.at(token.Pos, "unknown directive %q; want intended, assumes, no-cascade or no-transaction", words))
		}
	}
	return problems
}

// annotations reports the comments with which other tools split a file into up and
// down statements. Run as one, such a file would undo itself.
func (m *migration) annotations() (problems Problems) {
	text := m.script.Text
	tools := []struct{ mark, tool string }{
		{"+goose", "goose"},
		{"migrate:up", "dbmate"},
		{"migrate:down", "dbmate"},
		{"+migrate", "sql-migrate"},
		{"---- create above / drop below ----", "tern"},
	}
	for _, t := range tools {
		if !strings.Contains(text, t.mark) {
			continue
		}
		for pos := 0; pos < len(text); {
			token := sqltext.Next(text, pos)
			comment := text[token.Pos:token.End]
			if token.Kind == sqltext.Comment && (strings.HasPrefix(strings.TrimLeft(comment, "- \t"), t.mark) || strings.HasPrefix(comment, t.mark)) {
				problems = append(problems, m.at(pos, "annotation of %s; keep the up statements and remove the annotations and the down statements", t.tool))
			}
			pos = token.End
		}
	}
	return problems
}
