package gen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/gohost"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/runtime"
)

// A child is the process that runs the Go migrations of a directory. The go command
// builds it of the package as it will be when the generated file is right: with a
// provisional one over whatever is there, and with a main that is on no disk.
type child struct {
	*gohost.Process
	temp  string            // folder
	first string            // the first of the migrations, for errors about all
	files map[string]string // the migrations, by the names of their functions
}

// mainFolder is where the child's main seems to be: below the migrations, so that
// it may import them where they are internal to something.
const mainFolder = "lockstep_replay"

const hostPath = "github.com/lockstep-db/lockstep/gen/gohost"

const mainSource = `// Command lockstep_replay runs the Go migrations of package migrations.
package main

import (
	"github.com/lockstep-db/lockstep/gen/gohost"
	migrations %q
)

func main() { gohost.Serve(migrations.Schema) }
`

// startChild starts building the child, if there are Go migrations, and does not
// wait for it. Its errors are about the first of them.
func startChild(dir string, migrations []*migration, output io.Writer) (*child, error) {
	i := slices.IndexFunc(migrations, func(m *migration) bool { return m.Ext == ".go" })
	if i < 0 {
		return nil, nil
	}
	c := &child{first: migrations[i].name, files: map[string]string{}}
	for _, m := range migrations {
		c.files[genfile.FuncName(m.Version)] = m.name
	}
	if err := c.start(dir, migrations, output); err != nil {
		c.close()
		return nil, fmt.Errorf("%s: cannot be run: %w", c.first, err)
	}
	return c, nil
}

func (c *child) start(dir string, migrations []*migration, output io.Writer) error {
	command, err := exec.LookPath("go")
	if err != nil {
		return errors.New("no go command on PATH, which builds Go migrations to replay them")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	module, err := gomod.Find(dir)
	if err != nil {
		return err
	}
	if module == nil {
		return errors.New("no go.mod in the folder or above; a directory with Go migrations is a package of a module")
	}
	path, err := module.ImportPath(dir)
	if err != nil {
		return err
	}
	names := make([]filename.Name, len(migrations))
	for i, m := range migrations {
		names[i] = m.Name
	}
	provisional, err := genfile.Provisional(PackageName(dir), names)
	if err != nil {
		return err
	}
	if c.temp, err = os.MkdirTemp(goTemp(), "lockstep-"); err != nil {
		return err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, f := range []struct{ place, name, text string }{
		{filepath.Join(dir, FileName), FileName, string(provisional)},
		{filepath.Join(dir, mainFolder, "main.go"), "main.go", fmt.Sprintf(mainSource, path)},
	} {
		overlay.Replace[f.place] = filepath.Join(c.temp, f.name)
		if err := os.WriteFile(overlay.Replace[f.place], []byte(f.text), 0o600); err != nil {
			return err
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	listed := filepath.Join(c.temp, "overlay.json")
	if err := os.WriteFile(listed, list, 0o600); err != nil {
		return err
	}
	// "go run" keeps what it has linked, and does not link it again.
	cmd := exec.Command(command, "run", "-overlay="+listed, "./"+mainFolder)
	cmd.Dir = dir
	// go generate sets these to what the program is for, and the child runs here.
	// And what it leaves behind when it is interrupted goes with the rest.
	cmd.Env = append(cmd.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "GOTMPDIR="+c.temp)
	c.Process, err = gohost.Start(cmd, output, resultCode)
	return err
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

// close ends the child and removes its files. A nil child is closed.
func (c *child) close() {
	if c == nil {
		return
	}
	if c.Process != nil {
		c.Process.Close()
	}
	if c.temp != "" {
		os.RemoveAll(c.temp)
	}
}

// resultCode returns SQLite's extended result code.
func resultCode(err error) int {
	var e *sqlite3.Error
	if errors.As(err, &e) {
		return int(e.ExtendedCode())
	}
	return 0
}

// function returns what runs the migration, in the child.
func (c *child) function(v lockstep.Version) func(context.Context, lockstep.Tx) error {
	return func(ctx context.Context, tx lockstep.Tx) error {
		err := c.Func(v)(ctx, tx)
		if e := (*gohost.StartError)(nil); errors.As(err, &e) {
			return c.explain(e)
		}
		return err
	}
}

// explain returns what the go command says about a child that it cannot build: as
// problems where it names files and lines, and otherwise as one error.
func (c *child) explain(e *gohost.StartError) error {
	var problems Problems
	var rest []string
	panicked := ""
	output := strings.ReplaceAll(e.Output, filepath.Join(c.temp, FileName), FileName)
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		last := len(problems) - 1
		switch place := position.FindStringSubmatch(line); {
		case place != nil && strings.HasPrefix(filepath.ToSlash(line), mainFolder+"/"):
			if strings.Contains(place[4], hostPath) {
				return fmt.Errorf("%s: cannot be run: %s; want lockstep among the tools of the module\n\tgo get -tool %s", c.first, place[4], gomod.CommandPath)
			}
			rest = append(rest, place[4])
		case place != nil:
			p := Problem{File: strings.TrimPrefix(filepath.ToSlash(place[1]), "./"), Fact: place[4]}
			p.Line, _ = strconv.Atoi(place[2])
			p.Col, _ = strconv.Atoi(place[3])
			if wrong := argument.FindStringSubmatch(p.Fact); wrong != nil && p.File == FileName && c.files[wrong[1]] != "" {
				p = Problem{File: c.files[wrong[1]], Fact: p.Fact}
			}
			problems = append(problems, p)
		case text == "" || strings.HasPrefix(line, "# ") || text == "too many errors" || strings.HasPrefix(text, "exit status "):
		case last >= 0 && line[0] == '\t' && strings.HasPrefix(text, "go "):
			problems[last].Command = text
			problems[last].Fact = strings.TrimSuffix(problems[last].Fact, "; to add it:")
		case last >= 0 && line[0] == '\t':
			problems[last].Fact += "; " + text
		case panicked == "" && (strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")):
			panicked = text
		default:
			rest = append(rest, text)
		}
	}
	switch {
	case len(problems) > 0:
		return problems.err()
	case panicked != "":
		return fmt.Errorf("%s: cannot be run: its package ends the program when it is initialized: %s", c.first, panicked)
	case len(rest) == 0:
		return fmt.Errorf("%s: cannot be run: %w", c.first, e)
	}
	const most = 10 // lines
	if n := len(rest) - most; n > 0 {
		rest = append(rest[:most], "…")
	}
	said := strings.ReplaceAll(strings.Join(rest, "; "), ":; ", ": ")
	said = strings.ReplaceAll(said, "directory "+mainFolder+" ", "the directory ")
	return fmt.Errorf("%s: cannot be run: %s", c.first, said)
}

// argument matches what the compiler says about a function that is not one of a
// migration.
var argument = regexp.MustCompile(`^cannot use (migrate[0-9]{4}) `)

// position matches what the go command says about a place.
var position = regexp.MustCompile(`^([^\s:][^:]*\.[A-Za-z]+):([0-9]+):([0-9]+): (.*)$`)
