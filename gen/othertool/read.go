package othertool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Migration is one of another tool.
type Migration struct {
	Origin        // without the File that it becomes
	Words  string // from its name
	Ext    string
	number string // by which the tool orders it, or ""
	place  int    // in drizzle's journal

	Text  string // what goes up
	Alone bool   // it runs without a transaction
	Notes []string
}

// IsCode reports whether the migration is one that lockstep cannot run as it is.
func (m *Migration) IsCode() bool { return m.Ext == ".go" || m.Ext == ".rs" }

// A Directory is what another tool reads.
type Directory struct {
	Tool       *Tool
	Migrations []*Migration // in the order in which it runs them
	LeftOut    []string     // paths of what else looks like a migration
}

// ignored matches the paths of what goes down, or was not meant for a migration.
var ignored = re(`(^|[./])down\.[^/]*sql$|^README|_test\.go$`)

// list returns the paths in dir and in its folders, with slashes.
func list(dir string) (paths []string, err error) {
	dir += string(filepath.Separator) // it may be a link
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		rel, e := filepath.Rel(dir, name)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil && name == dir, e != nil:
			return cmp.Or(err, e)
		case err != nil, name != dir && entry.Name()[0] == '.', entry.IsDir() && strings.Contains(rel, "/"):
			return fs.SkipDir
		case entry.Type().IsRegular() && !ignored().MatchString(rel):
			paths = append(paths, rel)
		}
		return nil
	})
	return paths, err
}

// is reports whether the file at a path is one of the tool's, and not of another's.
func (t *Tool) is(dir, rel string) bool {
	if t.mark == nil {
		return true
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
	return err == nil && t.mark().Match(text)
}

// recognize returns the tool whose migrations are among the paths, or nil.
func recognize(dir string, paths []string) *Tool {
	for _, t := range Tools {
		sign := t.sign
		if sign == nil {
			sign = t.files
		}
		if sign != nil && slices.ContainsFunc(paths, func(rel string) bool { return sign().MatchString(rel) && t.is(dir, rel) }) {
			return t
		}
	}
	return nil
}

// Whose says which tool the migrations in a directory belong to, if all SQL in it has
// what only one tool has, and returns the command that converts them.
func Whose(dir string) (fact, command string) {
	paths, err := list(dir)
	t := recognize(dir, paths)
	if err != nil || t == nil || t.plain || slices.ContainsFunc(paths, func(rel string) bool {
		return path.Ext(rel) == ".sql" && !(t.files().MatchString(rel) && t.is(dir, rel))
	}) {
		return "", ""
	}
	return "has migrations of " + t.Name + "; convert them into another directory", Convert(dir)
}

// Convert returns the command that makes migrations of those of another tool in dir, in a
// directory beside it, or here if it is somewhere else.
func Convert(dir string) string {
	made := "database"
	if filepath.IsLocal(dir) {
		made = filepath.Join(dir, "..", made)
	}
	return wording.CommandLine("lockstep", "init", "--from", dir, made)
}

// Read reads the migrations of another tool.
func Read(dir string) (*Directory, error) {
	paths, err := list(dir)
	if err != nil {
		return nil, err
	}
	d := &Directory{Tool: recognize(dir, paths)}
	if d.Tool == nil {
		return nil, unknown(dir)
	}
	var journal []entry
	inJournal := d.Tool.Name == "drizzle" && !d.Tool.byText
	if inJournal {
		if journal, err = readJournal(dir, paths); err != nil {
			return nil, err
		}
	}
	for _, rel := range paths {
		m := d.Tool.files().FindStringSubmatch(rel)
		place := slices.IndexFunc(journal, func(e entry) bool { return e.Tag+".sql" == rel })
		switch {
		case m != nil && (!inJournal || place >= 0):
			migration := &Migration{Origin: Origin{Path: rel}, Words: m[2], Ext: path.Ext(rel), number: Key(m[1]), place: place}
			if place >= 0 {
				migration.Time = journal[place].When.String()
			}
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
			if err != nil {
				return nil, err
			}
			if !migration.IsCode() {
				d.Tool.up(migration, sqltext.Normalize(text))
			}
			if meta, err := os.ReadFile(filepath.Join(dir, path.Dir(rel), "metadata.toml")); err == nil && path.Dir(rel) != "." {
				migration.Alone = migration.Alone || inNoTransaction().Match(meta)
			}
			d.Migrations = append(d.Migrations, migration)
		case path.Ext(rel) == ".sql" || digits().MatchString(rel) && slices.Contains([]string{".go", ".rs", ".py", ".sh"}, path.Ext(rel)):
			d.LeftOut = append(d.LeftOut, rel)
		}
	}
	if len(d.Migrations) == 0 {
		return nil, errors.New(dir + ": no migrations of " + d.Tool.Name)
	}
	slices.SortStableFunc(d.Migrations, d.Tool.order)
	for i, m := range d.Migrations[1:] {
		if before := d.Migrations[i]; d.Tool.Key(m.Origin) == d.Tool.Key(before.Origin) {
			return nil, fmt.Errorf("%s: has the same version as %s, and %s runs only one of them; make a directory of those that it runs on SQLite", filepath.Join(dir, m.Path), before.Path, d.Tool.Name)
		}
	}
	return d, nil
}

// inNoTransaction is what diesel finds beside a migration.
var inNoTransaction = re(`(?m)^\s*run_in_transaction\s*=\s*false`)

// order compares two migrations as the tool does: by its journal, their numbers or paths.
func (t *Tool) order(a, b *Migration) int {
	if a.place != b.place {
		return a.place - b.place
	}
	if t.byText {
		return strings.Compare(t.Key(a.Origin)+a.Path, t.Key(b.Origin)+b.Path)
	}
	byNumber := len(a.number) - len(b.number)
	if a.number == "" || b.number == "" { // sql-migrate runs those without a number last
		byNumber = -byNumber
	}
	return cmp.Or(byNumber, strings.Compare(a.number, b.number), strings.Compare(a.Path, b.Path))
}

// An entry of drizzle's journal is a migration.
type entry struct {
	When json.Number
	Tag  string
}

// readJournal returns the entries of drizzle's journal, each of which has its file.
func readJournal(dir string, paths []string) ([]entry, error) {
	name := filepath.Join(dir, "meta", "_journal.json")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var journal struct{ Entries []entry }
	if err := json.Unmarshal(text, &journal); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, e := range journal.Entries {
		if !slices.Contains(paths, e.Tag+".sql") {
			return nil, fmt.Errorf("%s: names %s.sql, which is not there", name, e.Tag)
		}
	}
	return journal.Entries, nil
}

// unknown returns the error for a directory of no known tool. If folders in it belong to
// one, it names the only one, or the one for SQLite, or all of them.
func unknown(dir string) error {
	entries, _ := os.ReadDir(dir)
	var folders, tools []string
	for _, entry := range entries {
		folder := filepath.Join(dir, entry.Name())
		below, err := list(folder)
		if t := recognize(folder, below); err == nil && entry.IsDir() && t != nil {
			folders, tools = append(folders, folder), append(tools, t.Name)
		}
	}
	one := max(0, slices.IndexFunc(folders, func(folder string) bool { return strings.Contains(filepath.Base(folder), "sqlite") }))
	switch {
	case len(folders) == 0:
		return errors.New(dir + ": no migrations; want those of " + strings.Join(Names()[:len(Names())-1], ", ")) // user_version has no files
	case len(folders) > 1 && !strings.Contains(filepath.Base(folders[one]), "sqlite"):
		return errors.New(dir + ": no migrations; want one of its folders: " + wording.List(len(folders), ", ", func(i int) string { return wording.CommandLine(filepath.Base(folders[i])) }))
	}
	return fmt.Errorf("%s: no migrations; %s has those of %s\n\t%s", dir, folders[one], tools[one], wording.CommandLine("lockstep", "init", "--from", folders[one]))
}
