package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockstep-db/lockstep/gen/samedir"
)

// TestVet runs testdata/vet: modules in which the real go vet is run, with the real
// command as its tool. Both are cached: what a script takes that has run before is
// little. To run one by hand, add what addRuntime adds to each go.mod, and set
// LOCKSTEP to what "go tool -n lockstep" prints.
func TestVet(t *testing.T) {
	if testing.Short() {
		t.Skip("the go command is run many times")
	}
	setup, root := moduleSetup(t)
	vetStandard(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "vet"),
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		WorkdirRoot:         samedir.TempDir(t),
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"example":  func(ts *testscript.TestScript, neg bool, args []string) { exampleCmd(ts, neg, args, root) },
			"exitcode": exitCodeCmd,
			"publish":  publishCmd,
		},
	})
}

// vetStandard has go vet read what all scripts import with each set of flags that they
// use. Scripts that run at the same time would each read it again.
func vetStandard(t *testing.T) {
	t.Helper()
	env, err := moduleEnv()
	if err != nil {
		t.Fatal(err)
	}
	defer samedir.Lock(true)()
	tool := strings.TrimPrefix(env[len(env)-1], "LOCKSTEP=")
	for _, args := range [][]string{{"go", "vet", "-vettool=" + tool}, {tool, "vet"}} {
		cmd := exec.Command(args[0], append(args[1:], "../../examples/notes/migrations")...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// moduleSetup returns what lets the modules in a script use this one, and the command
// as go tool names it; and the folder of this module.
func moduleSetup(t *testing.T) (setup func(*testscript.Env) error, root string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	env, err := moduleEnv()
	if err != nil {
		t.Fatal(err)
	}
	return func(e *testscript.Env) error {
		e.Vars = append(e.Vars, env...)
		e.Setenv("PATH", filepath.Dir(e.Getenv("LOCKSTEP"))+string(os.PathListSeparator)+realPython()+e.Getenv("PATH"))
		return addRuntime(e.WorkDir, root)
	}, root
}

// realPython returns what to have before PATH, so that python3 is not a shell script that
// looks for the real one, as pyenv's is, and takes twice as long as Python itself.
var realPython = sync.OnceValue(func() string {
	out, _ := exec.Command("python3", "-c", "import os, sys; print(os.path.dirname(sys.executable), end=os.pathsep)").Output()
	return string(out)
})

// moduleEnv returns variables for the go command in such a module. The command is that of a
// module like the one in the test of README.md: linked once, it is one tool in go vet's cache.
var moduleEnv = sync.OnceValues(func() (env []string, err error) {
	defer samedir.Lock(true)()
	if env, err = goEnv("GOCACHE", "GOMODCACHE", "GOPATH"); err != nil {
		return nil, err
	}
	env = append(append(env, samedir.GoEnv()...), "GOMAXPROCS=1") // scripts run beside each other
	dir, err := os.MkdirTemp("", "lockstep-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err == nil {
		err = copyModule(dir, root, "example.com/app")
	}
	cmd := exec.Command("go", "tool", "-n", "lockstep")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var tool []byte
	if err == nil {
		tool, err = cmd.Output()
	}
	return append(env, "LOCKSTEP="+strings.TrimSpace(string(tool))), err
})

// copyModule makes in dir a module of that path, which requires what the one in root does.
func copyModule(dir, root, path string) error {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "go.mod"), bytes.Replace(mod, []byte("module "+modulePath), []byte("module "+path), 1), 0o666)
	}
	if err != nil {
		return err
	}
	return addRuntime(dir, root)
}

// goEnv returns variables of the go command's as NAME=value.
func goEnv(names ...string) (env []string, err error) {
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, err
	}
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		env = append(env, names[i]+"="+strings.TrimSpace(value))
	}
	return env, nil
}

// addRuntime has the modules below dir use the runtime that is in root.
func addRuntime(dir, root string) error {
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "go.mod" {
			return err
		}
		mod, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		mod = fmt.Appendf(mod, "\nrequire %[1]s v0.0.0-00010101000000-000000000000\n\nreplace %[1]s => %[2]s\n", modulePath, filepath.ToSlash(root))
		if err := os.WriteFile(file, mod, 0o666); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(filepath.Dir(file), "go.sum"), sum, 0o666)
	})
}

// exampleCmd is "example NAME": it makes of the example a module example.com/NAME,
// in a folder of that name, that requires what this module does.
func exampleCmd(ts *testscript.TestScript, neg bool, args []string, root string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: example NAME")
	}
	ts.Check(copyExample(ts.MkAbs(args[0]), root, args[0]))
}

func copyExample(dir, root, name string) error {
	module := "example.com/" + name
	if err := errors.Join(os.CopyFS(dir, os.DirFS(filepath.Join(root, "examples", name))), copyModule(dir, root, module)); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(file, bytes.ReplaceAll(text, []byte(modulePath+"/examples/"+name), []byte(module)), 0o666)
	})
}

const modulePath = "github.com/lockstep-db/lockstep"

// publishCmd is "publish DIR MODULE VERSION": it makes of the module a file-system
// proxy, and sets GOPROXY to it. What is not there comes from the module cache.
//
// https://go.dev/ref/mod#goproxy-protocol
func publishCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: publish DIR MODULE VERSION")
	}
	dir, module, version := ts.MkAbs(args[0]), args[1], args[2]
	proxy := ts.MkAbs("proxy")
	versions := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	ts.Check(os.MkdirAll(versions, 0o777))
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	ts.Check(err)
	for name, text := range map[string]string{
		"list":            version + "\n",
		version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version),
		version + ".mod":  string(mod),
	} {
		ts.Check(os.WriteFile(filepath.Join(versions, name), []byte(text), 0o666))
	}
	file, err := os.Create(filepath.Join(versions, version+".zip"))
	ts.Check(err)
	defer file.Close()
	w := zip.NewWriter(file)
	ts.Check(filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		entryWriter, err := w.Create(path.Join(module+"@"+version, filepath.ToSlash(below)))
		if err != nil {
			return err
		}
		_, err = entryWriter.Write(text)
		return err
	}))
	ts.Check(w.Close())
	ts.Setenv("GOPROXY", fileURL(proxy)+","+fileURL(filepath.Join(ts.Getenv("GOMODCACHE"), "cache", "download")))
}

func fileURL(dir string) string {
	dir = filepath.ToSlash(dir)
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir // C:/…
	}
	return "file://" + dir
}
