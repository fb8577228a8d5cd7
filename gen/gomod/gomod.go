// Package gomod is not for programs and promises nothing: it may change in any release.
//
// It finds the Go module that a directory is in, reads its files, and runs the go command.
package gomod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/mod/modfile"
)

// CommandPath is the import path of the command lockstep, a tool of the user's module.
const CommandPath = "github.com/lockstep-db/lockstep/cmd/lockstep"

// A Module is what a go.mod says.
type Module struct {
	Root string // its folder
	Path string
	Tool bool // lockstep is among its tools

	Direct, Indirect []string // paths of the modules that it requires
	Ignore           []string // folders, as the go command reads them
}

// Modules of SQLite drivers.
const (
	Ncruces = "github.com/ncruces/go-sqlite3"
	Mattn   = "github.com/mattn/go-sqlite3"
	Modernc = "modernc.org/sqlite"
)

// Drivers returns the modules of SQLite drivers that the module requires. Those that it
// requires as indirect may be its own before "go mod tidy" runs, but for the one that
// lockstep itself requires.
func (m *Module) Drivers() (drivers []string) {
	required := func(in []string, drivers ...string) []string {
		return slices.DeleteFunc(drivers, func(d string) bool { return !slices.Contains(in, d) })
	}
	if drivers = required(m.Direct, Ncruces, Mattn, Modernc); len(drivers) == 0 {
		drivers = required(m.Indirect, Mattn, Modernc)
	}
	return drivers
}

// Find returns the module that dir is in, or nil if it is in none.
//
// https://go.dev/ref/mod#go-mod-file
func Find(dir string) (*Module, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for {
		name := filepath.Join(root, "go.mod")
		text, err := os.ReadFile(name)
		switch {
		case err == nil:
			return parse(name, text)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			return nil, err
		case root == filepath.Dir(root):
			return nil, nil
		}
		root = filepath.Dir(root)
	}
}

// Workspace returns the modules of the workspace that dir is in, or none.
//
// https://go.dev/ref/mod#workspaces
func Workspace(dir string) (modules []*Module, err error) {
	if os.Getenv("GOWORK") == "off" {
		return nil, nil
	}
	name := os.Getenv("GOWORK")
	for folder := dir; name == ""; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err == nil {
			name = filepath.Join(folder, "go.work")
		} else if folder == filepath.Dir(folder) {
			return nil, nil
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return nil, err
	}
	for _, use := range work.Use {
		root := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(root) {
			root = filepath.Join(filepath.Dir(name), root)
		}
		module, err := Find(root)
		if err != nil {
			return nil, err
		}
		if module != nil && module.Root == root { // else there is none
			modules = append(modules, module)
		}
	}
	return modules, nil
}

// parse reads a go.mod. The go command says what is wrong with one; here its module
// line is enough.
func parse(name string, text []byte) (*Module, error) {
	m := &Module{Root: filepath.Dir(name), Path: modfile.ModulePath(text)}
	if m.Path == "" {
		return nil, fmt.Errorf("%s: no module line", name)
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return m, nil
	}
	for _, i := range file.Ignore {
		m.Ignore = append(m.Ignore, i.Path)
	}
	for _, tool := range file.Tool {
		m.Tool = m.Tool || tool.Path == CommandPath
	}
	for _, r := range file.Require {
		if r.Indirect {
			m.Indirect = append(m.Indirect, r.Mod.Path)
		} else {
			m.Direct = append(m.Direct, r.Mod.Path)
		}
	}
	return m, nil
}

// ImportPath returns the import path of the package in dir, a folder of the module.
func (m *Module) ImportPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(m.Root, dir)
	return path.Join(m.Path, filepath.ToSlash(below)), err
}

// GoFiles calls f with the name and text of each Go file of the module. It leaves out
// the files and folders that it cannot read, and those that Names does.
func (m *Module) GoFiles(ctx context.Context, f func(path string, text []byte)) error {
	return m.Names(ctx, func(path string) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		if text, err := os.ReadFile(path); err == nil {
			f(path, text)
		}
	})
}

// Names calls f with the name of each file of the module. It leaves out the folders that
// it cannot read, what the go command ignores, and node_modules, where another package
// manager keeps thousands.
//
// https://pkg.go.dev/cmd/go#hdr-Package_lists_and_patterns
func (m *Module) Names(ctx context.Context, f func(path string)) error {
	root := m.Root + string(filepath.Separator) // which may be a link
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && path != root && m.ignored(path, entry.Name()):
			return fs.SkipDir
		case entry.Type()&^fs.ModeSymlink == 0 && !strings.ContainsRune("._", rune(entry.Name()[0])):
			f(path)
		}
		return nil
	})
}

func (m *Module) ignored(dir, name string) bool {
	if name == "vendor" || name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
		return true
	}
	below := filepath.ToSlash(strings.TrimPrefix(dir, m.Root))
	for _, ignore := range m.Ignore {
		// https://go.dev/ref/mod#go-mod-file-ignore
		if rooted, ok := strings.CutPrefix(ignore, "./"); below == "/"+rooted || !ok && strings.HasSuffix(below, "/"+ignore) {
			return true
		}
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod")) // another module
	return err == nil
}
