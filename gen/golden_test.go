package gen

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/samedir"
	"github.com/lockstep-db/lockstep/runtime"
)

func TestMain(m *testing.M) { samedir.Main(m) }

var update = flag.Bool("update", false, "record what is generated as what is wanted")

// TestGenerate compares what Generate returns for the directory in each archive
// of testdata with what the archive wants: the generated file, or the problems,
// and the warnings. The last line of an archive's comment has the flags.
//
// What is generated is compiled as well, so that nothing can be recorded that
// does not compile.
func TestGenerate(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	module := newModule(t)
	offline(t)
	archived := map[string]*txtar.Archive{}
	for _, path := range archives {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			parent := filepath.Join(module, strings.ReplaceAll(name, "-", "_"))
			opts, recorded := goldenOptions(t, archive)
			dir := filepath.Join(parent, "migrations")
			inputs, want := writeArchive(t, parent, archive, opts, recorded)
			for _, interpreter := range []string{"python3", "sh"} {
				if _, err := exec.LookPath(interpreter); err != nil && strings.HasPrefix(name, "script") {
					t.Skip(err)
				}
			}
			got := map[string]string{}
			result, err := Generate(t.Context(), dir, opts)
			var problems Problems
			switch {
			case errors.As(err, &problems):
				got["problems"] = problems.Error() + "\n"
				if err := os.RemoveAll(parent); err != nil { // it need not compile
					t.Fatal(err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				got[FileName] = string(result.Source)
				if len(result.Warnings) > 0 {
					got["warnings"] = Problems(result.Warnings).Error() + "\n"
				}
				if err := result.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			if *update {
				archive.Files = inputs
				for _, kind := range []string{FileName, "warnings", "problems"} {
					if got[kind] != "" {
						archive.Files = append(archive.Files, txtar.File{Name: "want/" + kind, Data: []byte(got[kind])})
					}
				}
				archived[path] = archive
				return
			}
			for _, kind := range []string{FileName, "warnings", "problems"} {
				if got[kind] != want[kind] {
					t.Errorf("got %s:\n%s\nwant:\n%s", kind, got[kind], want[kind])
				}
			}
		})
	}
	if !compiles(t, module) {
		return
	}
	for path, archive := range archived {
		if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// goldenOptions returns what the flags say. --recorded is the last migration that is
// generated before the others are there.
func goldenOptions(t *testing.T, archive *txtar.Archive) (opts Options, recorded lockstep.Version) {
	lines := strings.Split(strings.TrimSpace(string(archive.Comment)), "\n")
	words := strings.Fields(lines[len(lines)-1])
	if len(words) == 0 || words[0] != "generate" {
		t.Fatalf("last line of the comment is %q; want generate and its flags", lines[len(lines)-1])
	}
	for _, word := range words[1:] {
		switch flag, value, _ := strings.Cut(word, "="); flag {
		case "-prove":
			opts.Prove = value
		case "-recorded":
			if _, err := fmt.Sscan(value, &recorded); err != nil {
				t.Fatal(err)
			}
		case "-gaps":
			opts.Gaps = true
		case "-dqs":
			opts.DQS = true
		default:
			t.Fatalf("unknown flag %s", word)
		}
	}
	return opts, recorded
}

// writeArchive writes the files of an archive below parent, but for those that are wanted, which it
// returns by their kind. It commits what is generated from the migrations that are recorded
// before it writes the others.
func writeArchive(t *testing.T, parent string, archive *txtar.Archive, opts Options, recorded lockstep.Version) (inputs []txtar.File, want map[string]string) {
	want = map[string]string{}
	var later []txtar.File
	for _, f := range archive.Files {
		if kind, ok := strings.CutPrefix(f.Name, "want/"); ok {
			want[kind] = string(f.Data)
			continue
		}
		inputs = append(inputs, f)
		if v, err := filename.Parse(filepath.Base(f.Name)); err == nil && v.Version > recorded && recorded > 0 {
			later = append(later, f)
		} else {
			writeFile(t, filepath.Join(parent, f.Name), string(f.Data))
		}
	}
	if recorded > 0 {
		commit(t, filepath.Join(parent, "migrations"), opts)
	}
	for _, f := range later {
		writeFile(t, filepath.Join(parent, f.Name), string(f.Data))
	}
	return inputs, want
}

func commit(t testing.TB, dir string, opts Options) {
	t.Helper()
	result, err := Generate(t.Context(), dir, opts)
	if err == nil {
		err = result.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newModule returns the folder of a new module that finds the runtime in this
// checkout.
func newModule(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := samedir.TempDir(t)
	writeFile(t, filepath.Join(dir, "go.sum"), string(sums))
	writeFile(t, filepath.Join(dir, "go.mod"), `module example.com/app

go 1.26.0

require github.com/lockstep-db/lockstep v0.0.0

replace github.com/lockstep-db/lockstep => `+root+"\n")
	return dir
}

// compiles reports whether the packages of the module compile and go vet has
// nothing to say about them.
func compiles(t *testing.T, module string) bool {
	t.Helper()
	out, err := goVet(t, module)
	if err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
	return err == nil
}

func goVet(t *testing.T, module string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "vet", "./...")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), samedir.GoEnv()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// offline has the go command find what it needs in this checkout.
func offline(t testing.TB) {
	for _, variable := range samedir.GoEnv() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
