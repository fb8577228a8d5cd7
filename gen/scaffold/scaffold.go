// Package scaffold is not for programs and promises nothing: it may change in any release.
//
// It writes the files that a person starts from: those of a migrations package, and the
// next migration.
package scaffold

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/gen/othertool"
)

//go:embed templates
var templates embed.FS

// text returns a template with its words replaced: "{TO}", "0012" and so on.
func text(template string, words ...string) string {
	b, err := templates.ReadFile("templates/" + template)
	if err != nil {
		panic(err) // there is no such template
	}
	return strings.NewReplacer(words...).Replace(string(b))
}

// leadingZero matches a number that the user meant to give to a migration.
var leadingZero = regexp.MustCompile(`^0[0-9]{3}$`)

// Migration writes the next migration of dir, and returns its name. It refuses if a file is
// misnamed or a number is wrong. Faults in their SQL do not matter to the next one, and may
// be none to a generator with functions of its own.
func Migration(dir, description, ext string, gaps bool) (filename.Name, error) {
	name := filename.Name{Version: 1, Description: description, Ext: ext}
	files, err := gen.Files(dir)
	if err != nil {
		return name, err
	}
	for _, f := range files {
		name.Version = max(name.Version, f.Version+1)
	}
	var problems gen.Problems
	if err := gen.Scan(dir, gaps); err != nil && !errors.As(err, &problems) {
		return name, err
	}
	problems = slices.DeleteFunc(problems, func(p gen.Problem) bool {
		return p.Line > 0 || len(files) == 0 && p.Command == "lockstep new NAME"
	})
	if len(problems) > 0 {
		return name, problems
	}
	if number, words, _ := strings.Cut(description, "-"); number == name.Version.String() {
		name.Description = words
	} else if leadingZero.MatchString(number) {
		return name, gen.Refuse("problem", "%s: the next number is %v; leave the number out", description, name.Version)
	}
	if _, err := filename.Parse(name.String()); err != nil {
		return name, fmt.Errorf("%s: %w", name, err)
	}
	pkg, _ := gen.PackageName(dir)
	_, err = WriteNew(File{filepath.Join(dir, name.String()), begin(name, pkg)})
	return name, err
}

// begin returns the text with which a migration begins.
func begin(name filename.Name, pkg string) string {
	template := "migration" + name.Ext
	if name.Ext == ".go" {
		template += ".txt"
	}
	return text(template,
		"{TITLE}", name.Version.String()+": "+strings.ReplaceAll(name.Description, "-", " "),
		"{FROM}", (name.Version - 1).String(),
		"{TO}", name.Version.String(),
		"{FILE}", name.String(),
		"{PACKAGE}", pkg,
	)
}

// Renumber returns the text of a migration with another number in what is left of the
// comment with which it began.
func Renumber(text string, from, to filename.Name) string {
	var lines []string
	now := strings.Split(begin(to, ""), "\n")
	for i, line := range strings.Split(begin(from, ""), "\n") {
		if line != now[i] && !strings.HasPrefix(line, "func ") {
			lines = append(lines, line, now[i])
		}
	}
	return strings.NewReplacer(lines...).Replace(text)
}

// A Package is what there is of a migrations package after [Init].
type Package struct {
	File       string `json:"file"` // migrations.go, which Init wrote
	Test       string `json:"test"` // migrations_test.go, or "" if there was one
	Name       string `json:"package"`
	ImportPath string `json:"importPath"` // "" outside of a module
	Tool       bool   `json:"tool"`       // the module has lockstep among its tools
	Empty      bool   `json:"-"`          // there are no migrations yet
}

// Init makes a migrations package of dir. It overwrites nothing.
func Init(dir string) (*Package, error) {
	if fact, command := othertool.Whose(dir); fact != "" {
		return nil, gen.Refuse("exists", "%s: %s; nothing was written\n\t%s", dir, fact, command)
	}
	p, files, err := design(dir, "go tool lockstep generate", "")
	if err == nil {
		_, err = WriteNew(files...)
	}
	return p, err
}

// design returns the package that is to be in dir, and its files: with the command that go
// generate runs, and a comment before it.
func design(dir, generate, comment string) (p *Package, files []File, err error) {
	pkg, problem := gen.PackageName(dir)
	if problem != nil {
		return nil, nil, gen.Problems{*problem}
	}
	migrations, _ := gen.Files(dir) // none yet, if there is no such directory
	p = &Package{File: filepath.Join(dir, "migrations.go"), Name: pkg, Empty: len(migrations) == 0}
	module, err := gomod.Find(dir)
	if module != nil && err == nil {
		p.Tool = module.Tool
		p.ImportPath, err = module.ImportPath(dir)
	}
	files = []File{{p.File, text("migrations.go.txt", "{PACKAGE}", p.Name, "{GENERATE}", generate, "{COMMENT}", comment)}}
	test := filepath.Join(dir, "migrations_test.go")
	if _, missing := os.Lstat(test); missing != nil {
		p.Test = test
		files = append(files, File{test, text("migrations_test.go.txt", "{PACKAGE}", p.Name, "{DRIVER}", driver(module))})
	}
	return p, files, err
}

// driver returns the import that registers the module's SQLite driver, or else that of
// lockstep's own command.
func driver(m *gomod.Module) string {
	if m != nil {
		if drivers := m.Drivers(); len(drivers) > 0 && drivers[0] != gomod.Ncruces {
			return drivers[0]
		}
	}
	return gomod.Ncruces + "/driver"
}

// A File is one to write.
type File struct{ Path, Text string }

// WriteNew writes files that must not exist, and the folders above them: all of them or, if
// it returns an error, none. The function that it returns removes them again.
func WriteNew(files ...File) (_ func(), err error) {
	var made []string
	remove := func() {
		for _, path := range slices.Backward(made) {
			os.Remove(path)
		}
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	for _, file := range files {
		dir, outermost := filepath.Dir(file.Path), len(made)
		for above := dir; ; above = filepath.Dir(above) {
			if _, err := os.Lstat(above); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			made = slices.Insert(made, outermost, above)
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, gen.FileError(dir, err)
		}
		f, err := os.OpenFile(file.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			return nil, gen.Refuse("exists", "%s: exists; nothing was written", file.Path)
		}
		if err == nil {
			made = append(made, file.Path) // part of a file is worse than none
			_, err = f.WriteString(file.Text)
			err = cmp.Or(err, f.Close())
		}
		if err != nil {
			return nil, gen.FileError(file.Path, err)
		}
	}
	return remove, nil
}
