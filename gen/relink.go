package gen

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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
	"time"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/gomod"
)

// The main package of a program that is built seems to be below the migrations, so that
// it may import them where they are internal to something. The package between the two
// spares compiling the main package again when a migration has changed: what the one
// between is compiled to does not depend on the bodies of functions.
const (
	mainFolder = "lockstep_replay"
	linkFolder = mainFolder + "/link"
	linkName   = "lockstep_link.go"
)

// A linker builds programs that the migrations of a package are linked into: the package
// as it will be when the generated file is right, with a provisional one over whatever
// is there.
type linker struct {
	dir        string // of the package, absolute
	root       string // of its module
	path       string // of the package
	migrations []*migration
	temp       string            // folder
	first      string            // the first of the Go migrations, for errors about all
	files      map[string]string // their files, by the names of their functions
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
	if err == nil && module == nil {
		err = errors.New("no go.mod in the folder or above; a directory with Go migrations is a package of a module")
	}
	if err == nil {
		l.root = module.Root
		l.path, err = module.ImportPath(dir)
	}
	if err == nil {
		l.dir, err = filepath.Abs(dir)
	}
	return l, err
}

// close removes the program.
func (l *linker) close() {
	if l.temp != "" {
		os.RemoveAll(l.temp)
	}
}

// build builds this program again, or one that calls [Serve] if again is false, and
// returns its path.
func (l *linker) build(ctx context.Context, again bool) (_ string, err error) {
	if l.temp, err = os.MkdirTemp(goTemp(), "lockstep-"); err != nil {
		return "", err
	}
	overlay, flags, err := l.overlay(ctx, again)
	if err != nil {
		return "", err
	}
	// "go run" keeps what it has linked, and does not link it again. It would make every
	// exit status 1, so all that it runs is a program that copies. Of two SQLite drivers
	// with one name, the migrations' has it.
	program := filepath.Join(l.temp, "program")
	flags = append(flags, "-overlay="+overlay, "-ldflags=-s -w -X github.com/ncruces/go-sqlite3/driver.driverName=", "-exec=cp")
	if runtime.GOOS == "windows" {
		program += ".exe"
		flags[len(flags)-1] = "-exec=cmd /c copy"
	}
	_, err = l.goCommand(ctx, append(append([]string{"run"}, flags...), "./"+mainFolder, program)...)
	return program, err
}

// overlay writes the files of the program that are on no disk, and returns the name of a
// list of all that are not where they seem to be.
func (l *linker) overlay(ctx context.Context, again bool) (name string, flags []string, err error) {
	names := make([]filename.Name, len(l.migrations))
	for i, m := range l.migrations {
		names[i] = m.Name
	}
	provisional, err := genfile.Provisional(PackageName(l.dir), names)
	if err != nil {
		return "", nil, err
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = make(map[string]string)
	main := fmt.Sprintf("package main\n\nimport _ %q\n", l.path+"/"+linkFolder)
	if again {
		var folder string
		var files []string
		if folder, files, flags, err = l.thisProgram(ctx); err != nil {
			return "", nil, err
		}
		for _, file := range files {
			overlay.Replace[filepath.Join(l.dir, mainFolder, filepath.FromSlash(file))] = filepath.Join(folder, filepath.FromSlash(file))
		}
	} else {
		main += "\nimport \"github.com/lockstep-db/lockstep/gen\"\n\nfunc main() { gen.Serve() }\n"
	}
	for _, f := range []struct{ folder, name, text string }{
		{".", FileName, string(provisional)},
		{".", linkName, l.linkSource()},
		{linkFolder, "link.go", fmt.Sprintf("package link\n\nimport _ %q\n", l.path)},
		{mainFolder, "lockstep_main.go", main},
	} {
		file := filepath.Join(l.temp, f.name)
		overlay.Replace[filepath.Join(l.dir, filepath.FromSlash(f.folder), f.name)] = file
		if err := os.WriteFile(file, []byte(f.text), 0o600); err != nil {
			return "", nil, err
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", nil, err
	}
	name = filepath.Join(l.temp, "overlay.json")
	return name, flags, os.WriteFile(name, list, 0o600)
}

// thisProgram returns the files of this program's main package, and the flags that it is
// built with.
func (l *linker) thisProgram(ctx context.Context) (folder string, files, flags []string, err error) {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "command-line-arguments" {
		return "", nil, nil, errors.New("this program is built of files, and it takes a package to build it again; name its folder, as in go run ./gen")
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			flags = append(flags, "-tags="+s.Value)
		}
	}
	const format = "-f={{.Dir}}{{range .GoFiles}}\n{{.}}{{end}}{{range .EmbedFiles}}\n{{.}}{{end}}"
	listed, err := l.goCommand(ctx, append(append([]string{"list", "-find", format}, flags...), info.Path)...)
	names := strings.Split(strings.TrimSpace(listed), "\n")
	return names[0], names[1:], flags, err
}

// linkSource returns a file of the migrations' package that hands over their functions.
func (l *linker) linkSource() string {
	var b strings.Builder
	fmt.Fprintf(&b, `package %s

import (
	lockstep_context "context"
	lockstep_gen "github.com/lockstep-db/lockstep/gen"
	lockstep_runtime %q
)

func init() {
	lockstep_gen.Link(%q, map[lockstep_runtime.Version]func(lockstep_context.Context, lockstep_runtime.Tx) error{
`, PackageName(l.dir), genfile.RuntimePath, l.path)
	for _, m := range l.migrations {
		if m.Ext == ".go" {
			fmt.Fprintf(&b, "\t\t%d: %s,\n", m.Version, genfile.FuncName(m.Version))
		}
	}
	b.WriteString("\t})\n}\n")
	return b.String()
}

// goCommand runs the go command for this system, in the directory, and returns what it
// prints.
func (l *linker) goCommand(ctx context.Context, args ...string) (string, error) {
	name, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("no go command on PATH, which builds Go migrations to replay them")
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = l.dir
	// "go generate" sets these to what the program is for. And what the go command leaves
	// behind when it is interrupted goes with the rest.
	cmd.Env = append(cmd.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "GOTMPDIR="+l.temp)
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) == nil {
			return nil
		}
		return cmd.Process.Kill() // on Windows
	}
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", l.explain(stderr.String(), err)
	}
	return stdout.String(), nil
}

// goTemp returns the folder in which the go command makes its temporary ones, or "":
// where somebody has set it, programs can perhaps not be run elsewhere.
func goTemp() string {
	const name = "GOTMPDIR"
	if dir := os.Getenv(name); dir != "" {
		return dir
	}
	file := os.Getenv("GOENV")
	if config, err := os.UserConfigDir(); file == "" && err == nil {
		file = filepath.Join(config, "go", "env") // "go env -w" writes it
	}
	settings, _ := os.ReadFile(file)
	for line := range strings.Lines(string(settings)) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return dir
		}
	}
	return ""
}

// explain returns what the go command says about a program that it cannot build: as
// problems where it names files and lines, and otherwise as one errol.
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
		case place != nil && (strings.HasPrefix(filepath.ToSlash(line), mainFolder+"/") || missing.MatchString(place[4]) && filepath.Base(place[1]) == linkName):
			rest = append(rest, place[4])
		case place != nil && l.isForeign(place[1]):
			rest = append(rest, line)
		case place != nil && filepath.Base(place[1]) == linkName: // as in the generated file
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
			"; want lockstep among the tools of the module\n\tgo get -tool " + gomod.CommandPath
	}
	return errors.New(said)
}

// isForeign reports whether a file is not of the module of the migrations.
func (l *linker) isForeign(file string) bool {
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	below, err := filepath.Rel(l.root, file)
	return err != nil || strings.HasPrefix(below, "..")
}

// function matches the name of a migration's function.
var function = regexp.MustCompile(`\bmigrate[0-9]{4}\b`)

// missing matches what the go command says when it does not find what lockstep is built of.
var missing = regexp.MustCompile(`module provid(es|ing) package |updates to go.mod needed`)

// position matches what the go command says about a place.
var position = regexp.MustCompile(`^([^\s:][^:]*\.[A-Za-z]+):([0-9]+):([0-9]+): (.*)$`)
