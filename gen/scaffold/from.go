package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/gen/standin"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Conversion is a migrations package that was made of another tool's migrations.
type Conversion struct {
	Package       *Package           `json:"-"`
	Tool          string             `json:"from"`
	Like          string             `json:"-"` // a tool that it may be as well, or ""
	Origins       []othertool.Origin `json:"origins"`
	Generator     string             `json:"generator"` // the program that registers functions, or ""
	standin.Names                    // that it has to register

	Warnings gen.Problems `json:"-"` // what became of the files
	Problems gen.Problems `json:"-"` // what keeps the new package from being generated

	from, dir string
	directory *othertool.Directory
	tried     map[int]bool // with a transaction and without; true if it came without one
	gaps, dqs bool
}

// InitFrom makes a migrations package of dir from the migrations of another tool in from,
// which it leaves as they are. It replays them, and adapts what it can of the SQL that other
// tools' SQLite accepts. It overwrites nothing; if it returns an error, it wrote nothing.
func InitFrom(ctx context.Context, from, dir string) (_ *Conversion, err error) {
	c := &Conversion{from: from, dir: dir, tried: map[int]bool{}, Names: standin.Names{Functions: []string{}, Collations: []string{}}}
	if c.directory, err = othertool.Read(from); errors.As(err, new(*fs.PathError)) {
		return nil, gen.FileError(from, err)
	} else if err != nil {
		return nil, gen.Refuse("missing", "%v", err)
	}
	c.Tool, c.Like = c.directory.Tool.Name, c.directory.Tool.Like
	if files, _ := gen.Files(dir); len(files) > 0 || SameFolder(from, dir) {
		return nil, gen.Refuse("exists", "%s: has migrations; nothing was written: name a new directory\n\t%s", dir, othertool.Convert(from))
	}
	c.number()
	if err := c.replay(ctx); err != nil {
		return nil, err
	}
	for i, was := range c.tried {
		switch alone := c.directory.Migrations[i].Alone; {
		case alone && !was:
			c.warn(c.Origins[i].File, "runs without a transaction, which its statements need")
		case was && !alone:
			c.warn(c.Origins[i].File, "runs in the upgrade's transaction: without one, it could not run again after a crash")
		}
	}
	slices.SortFunc(c.Warnings, func(a, b gen.Problem) int { return strings.Compare(a.File, b.File) })
	return c, c.write()
}

// SameFolder reports whether two paths lead to one folder.
func SameFolder(a, b string) bool {
	x, e := os.Stat(a)
	y, err := os.Stat(b)
	return e == nil && err == nil && os.SameFile(x, y)
}

// number names the migrations. Those of fastmigrate keep their numbers, by which their
// databases know them.
func (c *Conversion) number() {
	for i, m := range c.directory.Migrations {
		name := filename.Name{Version: lockstep.Version(i + 1), Description: filename.Describe(m.Words, "migration"), Ext: m.Ext}
		if m.IsCode() {
			name.Ext = ".sql"
		}
		if c.Tool == "fastmigrate" {
			n, _ := strconv.Atoi(m.Path[:4])
			c.gaps = c.gaps || lockstep.Version(n) != name.Version
			name.Version = lockstep.Version(n)
		}
		o := othertool.Origin{Path: m.Path, Time: m.Time, File: name.String()}
		c.Origins = append(c.Origins, o)
		for _, note := range m.Notes {
			c.warn(o.File, "%s", note)
		}
		if m.IsCode() {
			c.Problems = append(c.Problems, gen.Problem{File: o.File, Fact: fmt.Sprintf(
				"%s is code: write what it does here in SQL, or in %s.go in place of this file, or a comment that says why there is nothing to do", m.Path, strings.TrimSuffix(o.File, ".sql")),
				Command: "lockstep help programs"})
		}
	}
	for _, path := range c.directory.LeftOut {
		c.Warnings = append(c.Warnings, gen.Problem{File: filepath.Join(c.from, path), Fact: "left out: no migration of " + c.Tool + "; if it does part of the work of one, write that into the new one"})
	}
}

func (c *Conversion) warn(file, format string, args ...any) {
	c.Warnings = append(c.Warnings, gen.Problem{File: filepath.Join(c.dir, file), Fact: fmt.Sprintf(format, args...)})
}

// text returns the text of a migration.
func (c *Conversion) text(i int) string {
	m, o := c.directory.Migrations[i], c.Origins[i]
	name, _ := filename.Parse(o.File)
	switch {
	case m.IsCode():
		return begin(name, "")
	case m.Ext == ".sql" && sqltext.Parse(m.Text).IsIdle():
		return fmt.Sprintf("-- %s has no statement: what it was for, if anything, was done elsewhere.\n%s", m.Path, strings.TrimLeft(m.Text, "\n"))
	case m.Alone:
		return "-- lockstep: no-transaction\n" + m.Text
	}
	return m.Text
}

// replay tries the migrations in a directory of their own until it learns nothing more about
// what they need, and keeps the problems that remain.
func (c *Conversion) replay(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lockstep")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for {
		for i, m := range c.directory.Migrations {
			if m.IsCode() {
				continue // and a gap
			}
			if err := os.WriteFile(filepath.Join(dir, c.Origins[i].File), []byte(c.text(i)), 0o666); err != nil {
				return err
			}
		}
		_, err := c.Load(ctx, dir, gen.Options{Gaps: true, DQS: c.dqs})
		var problems gen.Problems
		if err != nil && !errors.As(err, &problems) {
			return err
		}
		if !c.learn(problems) {
			if len(c.Problems) == len(c.Origins) {
				return nil // there is nothing but code
			}
			for _, p := range problems {
				var code []string // before it
				for i, m := range c.directory.Migrations {
					if m.IsCode() && p.File > c.Origins[i].File {
						code = append(code, m.Path)
					}
				}
				switch sqlite := !strings.Contains(p.Fact, "; "); {
				case sqlite && len(code) > 0:
					p.Fact += "; write first what is done by " + wording.List(len(code), ", ", func(i int) string { return code[i] })
				case sqlite:
					p.Fact += "; write here what SQLite takes, or a comment that says why there is nothing to do"
				}
				c.Problems = append(c.Problems, p)
			}
			return nil
		}
	}
}

// learn has the next replay avoid the problems, and reports whether it can avoid any.
func (c *Conversion) learn(problems gen.Problems) (learned bool) {
	quoted := func(p gen.Problem) bool {
		return strings.Contains(p.Fact, "should this be a string literal in single-quotes?")
	}
	if !c.dqs && slices.ContainsFunc(problems, quoted) {
		c.dqs = true
		return true
	}
	for _, p := range problems {
		i := slices.IndexFunc(c.Origins, func(o othertool.Origin) bool { return o.File == p.File })
		if i < 0 {
			continue
		}
		m := c.directory.Migrations[i]
		was, tried := c.tried[i]
		if !tried {
			was = m.Alone
		}
		if m.Alone || !tried && strings.HasSuffix(p.Fact, `whose first line is "-- lockstep: no-transaction"`) {
			m.Alone, c.tried[i], learned = !m.Alone, was, true
		}
	}
	return learned
}

// write writes the package.
func (c *Conversion) write() error {
	var files []File
	generate := "go tool lockstep generate"
	if c.gaps {
		generate += " --gaps"
	}
	if c.dqs {
		generate += " --dqs"
	}
	if len(c.Functions)+len(c.Collations) > 0 {
		generate = "go run ./generate"
		c.Generator = filepath.Join(c.dir, "generate", "main.go")
		files = append(files, File{c.Generator, c.generator()})
	}
	for i, o := range c.Origins {
		files = append(files, File{filepath.Join(c.dir, o.File), c.text(i)})
	}
	made, its, err := design(c.dir, generate, othertool.Comment(c.directory.Tool, c.Origins)+"\n")
	if err == nil {
		made.Empty = false
		c.Package = made
		_, err = WriteNew(append(files, its...)...)
	}
	return err
}

// generator returns the text of the program that generates with the functions.
func (c *Conversion) generator() string {
	var options, functions, collations string
	if c.gaps {
		options += "Gaps: true, "
	}
	if c.dqs {
		options += "DQS: true, "
	}
	for _, name := range c.Functions {
		functions += fmt.Sprintf("\t\tc.CreateFunction(%q, -1, sqlite3.DETERMINISTIC, first),\n", name)
	}
	for _, name := range c.Collations {
		collations += fmt.Sprintf("\t\tc.CreateCollation(%q, bytes.Compare),\n", name)
	}
	imports := ""
	if collations != "" {
		imports = "\t\"bytes\"\n"
	}
	return text("generator.go.txt", "{IMPORTS}", imports, "{OPTIONS}", options, "{REGISTER}", functions+collations)
}

// Origins returns where the migrations of a package come from, if its migrations.go records
// that.
func Origins(dir string) ([]othertool.Origin, error) {
	text, err := os.ReadFile(filepath.Join(dir, "migrations.go"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, gen.FileError(filepath.Join(dir, "migrations.go"), err)
	}
	return othertool.Origins(string(text)), nil
}
