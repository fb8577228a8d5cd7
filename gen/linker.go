package gen

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/gomod"
)

// The go command sees the main package of what it builds below the migrations, so that it
// may import them even from an internal folder. It imports a package that does nothing but
// import the migrations: what that compiles to does not depend on the bodies of functions,
// so the main package is not compiled again when a migration has changed.
const (
	mainFolder = "lockstep_replay"
	linkFolder = mainFolder + "/link"
	linkName   = "lockstep_link.go"
)

// A linker builds programs that a package of migrations is linked into. A provisional
// generated file takes the place of whatever is there.
type linker struct {
	dir        string // of the package, absolute
	path       string // its import path
	root       string // of its module
	migrations []*migration
	first      string            // the first Go migration, for errors about all of them
	files      map[string]string // of the Go migrations, by the names of their functions
	temp       string            // folder for the files that the overlay adds, and the program
}

func newLinker(dir string, migrations []*migration) (*linker, error) {
	l := &linker{migrations: migrations, files: make(map[string]string)}
	for _, m := range migrations {
		if m.Ext == ".go" {
			l.files[genfile.FuncName(m.Version)] = m.name
			l.first = cmp.Or(l.first, m.name)
		}
	}
	module, err := gomod.Find(dir)
	switch {
	case err != nil:
		return l, err
	case module == nil:
		return l, errors.New("no go.mod in the folder or above; Go migrations have to be in a package of a module")
	}
	l.root = module.Root
	if l.path, err = module.ImportPath(dir); err == nil {
		l.dir, err = filepath.Abs(dir)
	}
	return l, err
}

// build builds this program again if self is set, or else one that calls [Serve], and
// returns its path.
func (l *linker) build(ctx context.Context, self bool) (program string, err error) {
	// Elsewhere, programs may not be allowed to run.
	temp, err := l.goCommand(ctx, "env", "GOTMPDIR")
	if err == nil {
		l.temp, err = os.MkdirTemp(strings.TrimSpace(temp), "lockstep-")
	}
	if err != nil {
		return "", err
	}
	main := fmt.Sprintf("package main\n\nimport _ %q\n", l.path+"/"+linkFolder)
	replace, tags := make(map[string]string), ""
	if self {
		tags, err = l.replaceMain(ctx, replace)
	} else {
		main += "\nimport \"github.com/lockstep-db/lockstep/gen\"\n\nfunc main() { gen.Serve() }\n"
	}
	if err != nil {
		return "", err
	}
	names := make([]filename.Name, len(l.migrations))
	for i, m := range l.migrations {
		names[i] = m.Name
	}
	pkg, _ := PackageName(l.dir)
	provisional, err := genfile.Provisional(pkg, names)
	if err != nil {
		return "", err
	}
	for _, f := range []struct{ folder, name, text string }{
		{".", FileName, string(provisional)},
		{".", linkName, l.linkSource(pkg)},
		{linkFolder, "link.go", fmt.Sprintf("package link\n\nimport _ %q\n", l.path)},
		{mainFolder, "lockstep_main.go", main},
	} {
		file := filepath.Join(l.temp, f.name)
		replace[filepath.Join(l.dir, filepath.FromSlash(f.folder), f.name)] = file
		if err := os.WriteFile(file, []byte(f.text), 0o600); err != nil {
			return "", err
		}
	}
	overlay := filepath.Join(l.temp, "overlay.json")
	if err := gomod.WriteOverlay(overlay, replace); err != nil {
		return "", err
	}
	// "go run" caches what it links, but turns every exit status into 1: so it runs no more
	// than a program that copies. If the migrations have a driver named sqlite3, too, the
	// name is theirs: see [Link].
	program, copies := filepath.Join(l.temp, "program"), "cp"
	if runtime.GOOS == "windows" {
		program, copies = program+".exe", "cmd /c copy"
	}
	_, err = l.goCommand(ctx, "run", "-overlay="+overlay, "-tags="+tags, "-exec="+copies,
		"-ldflags=-s -w -X github.com/ncruces/go-sqlite3/driver.driverName=", "./"+mainFolder, program)
	return program, err
}

// replaceMain adds the files of this program's main package to the overlay, and returns the
// build tags that it needs.
func (l *linker) replaceMain(ctx context.Context, replace map[string]string) (tags string, err error) {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "command-line-arguments" {
		return "", errors.New("this program was built from files, not from a package that can be built again; name its folder, as in go run ./gen")
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			tags = s.Value
		}
	}
	const format = "{{.Dir}}{{range .GoFiles}}\n{{.}}{{end}}{{range .EmbedFiles}}\n{{.}}{{end}}"
	listed, err := l.goCommand(ctx, "list", "-find", "-tags="+tags, "-f="+format, info.Path)
	names := strings.Split(strings.TrimSpace(listed), "\n")
	for _, name := range names[1:] {
		name = filepath.FromSlash(name)
		replace[filepath.Join(l.dir, mainFolder, name)] = filepath.Join(names[0], name)
	}
	return tags, err
}

// linkSource returns a file of the migrations' package that calls [Link]. Its names for
// packages are such that the other files have none of them.
func (l *linker) linkSource(pkg string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `package %s

import (
	lockstep_context "context"
	lockstep_gen "github.com/lockstep-db/lockstep/gen"
	lockstep_runtime %q
)

func init() {
	lockstep_gen.Link(%q, map[lockstep_runtime.Version]func(lockstep_context.Context, lockstep_runtime.Tx) error{
`, pkg, genfile.RuntimePath, l.path)
	for _, m := range l.migrations {
		if m.Ext == ".go" {
			fmt.Fprintf(&b, "\t\t%d: %s,\n", m.Version, genfile.FuncName(m.Version))
		}
	}
	b.WriteString("\t})\n}\n")
	return b.String()
}

// goCommand runs the go command in the directory, and returns what it prints.
func (l *linker) goCommand(ctx context.Context, args ...string) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", errors.New("no go command on PATH, and it takes one to build Go migrations")
	}
	cmd := gomod.Command(ctx, args...)
	cmd.Dir = l.dir
	// "go generate" sets GOOS and GOARCH to what the user builds for, but migrations run
	// here. Whatever the go command leaves behind when interrupted goes with temp.
	cmd.Env = append(cmd.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if l.temp != "" {
		cmd.Env = append(cmd.Env, "GOTMPDIR="+l.temp)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", l.explain(stderr.String(), err)
	}
	return stdout.String(), nil
}

// explain returns what the go command says when it fails: problems for what it says about
// files of the module, and otherwise one error.
func (l *linker) explain(output string, err error) error {
	var problems Problems
	var rest []string
	output = strings.ReplaceAll(output, l.temp+string(filepath.Separator), "")
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		last := len(problems) - 1
		place := position.FindStringSubmatch(line)
		switch {
		case place != nil && strings.HasPrefix(filepath.ToSlash(line), mainFolder+"/"):
			rest = append(rest, place[4])
		case place != nil && filepath.Base(place[1]) == linkName:
			if missing.MatchString(place[4]) { // the rest is the same in the generated file
				rest = append(rest, place[4])
			}
		case place != nil && l.isForeign(place[1]):
			rest = append(rest, line)
		case place != nil:
			p := Problem{File: strings.TrimPrefix(filepath.ToSlash(place[1]), "./"), Fact: place[4]}
			p.Line, _ = strconv.Atoi(place[2])
			p.Col, _ = strconv.Atoi(place[3])
			if file := l.files[function.FindString(p.Fact)]; p.File == FileName && file != "" {
				p = Problem{File: file, Fact: p.Fact} // it is of another type
			}
			problems = append(problems, p)
		case text == "" || strings.HasPrefix(line, "# ") || text == "too many errors":
		case last >= 0 && line[0] == '\t' && strings.HasPrefix(text, "go "):
			problems[last].Command = text
			problems[last].Fact = strings.TrimSuffix(problems[last].Fact, "; to add it:")
		case last >= 0 && line[0] == '\t':
			problems[last].Fact += "; " + text
		default:
			rest = append(rest, text)
		}
	}
	switch {
	case len(problems) > 0:
		return problems.err()
	case len(rest) == 0:
		return err
	}
	const most = 10 // lines
	if n := len(rest) - most; n > 0 {
		rest = append(rest[:most], "…")
	}
	said := strings.ReplaceAll(strings.Join(rest, "; "), ":; ", ": ")
	said = strings.ReplaceAll(said, "directory "+mainFolder+" ", "the directory ")
	if missing.MatchString(said) {
		said = strings.TrimSuffix(said, "; to add it: go get "+gomod.CommandPath) +
			"; want lockstep among the tools of the module\n\tgo mod edit -tool " + gomod.CommandPath + "\n\tgo mod tidy"
	}
	return errors.New(said)
}

// isForeign reports whether a file is outside of the module.
func (l *linker) isForeign(file string) bool {
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	below, err := filepath.Rel(l.root, file)
	return err != nil || strings.HasPrefix(below, "..")
}

// function matches the name of a migration's function.
var function = regexp.MustCompile(`\bmigrate[0-9]{4}\b`)

// missing matches what the go command says when the module lacks what lockstep imports.
var missing = regexp.MustCompile(`module provid(es|ing) package .*lockstep|updates to go.mod needed`)

// position matches a line of the go command about a place in a file.
var position = regexp.MustCompile(`^([^\s:][^:]*\.[A-Za-z]+):([0-9]+):([0-9]+): (.*)$`)
