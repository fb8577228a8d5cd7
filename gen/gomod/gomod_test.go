package gomod

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func TestParseModule(t *testing.T) {
	tests := []struct {
		claim string
		text  string
		want  *Module
	}{
		{"ReadsModule", "module example.com/notes // comment\n\ngo 1.26\n", &Module{Root: "x", Path: "example.com/notes"}},
		{"ReadsQuotedModule", "module \"example.com/notes\"\n", &Module{Root: "x", Path: "example.com/notes"}},
		{"ReadsToolLine", "module a\ntool github.com/lockstep-db/lockstep/cmd/lockstep\n", &Module{Root: "x", Path: "a", Tool: true}},
		{"ReadsToolBlock", "module a\ntool (\n\tb\n\tgithub.com/lockstep-db/lockstep/cmd/lockstep\n)\n", &Module{Root: "x", Path: "a", Tool: true}},
		{"IgnoresOtherBlocks", "module a\nexclude (\n\tmodule b\n)\n", &Module{Root: "x", Path: "a"}},
		{"ReadsTheModuleOfAFaultyFile", "module a\nrequire b\nwhat\n", &Module{Root: "x", Path: "a"}},
		{"ReadsRequirements", "module a\nrequire b v1.0.0\nrequire (\n\tc v1.0.0 // indirect\n\td v1.0.0 // for e\n)\n", &Module{Root: "x", Path: "a", Direct: []string{"b", "d"}, Indirect: []string{"c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got, err := parse(filepath.Join("x", "go.mod"), []byte(tt.text)); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// TestGoFiles has Go files in folders of a module that the go command would not read.
func TestGoFiles(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"a.go", "store/a.go", "store/vendored/a.go", "web/static/a.go", "web/dist/b/a.go", "a.txt",
		"vendor/x/a.go", "store/vendor/x/a.go", "node_modules/x/a.go", "web/node_modules/@x/y/a.go", ".git/a.go", "store/.cache/a.go",
		"_a.go", ".#a.go", "_old/a.go", "testdata/a.go", "tools/go.mod", "tools/a.go", "tools/x/a.go", "static/a.go", "dist/a.go", "web/dist/a.go", "out/bin/a.go", "web/out/bin/a.go",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	files := func(goMod string) (names []string) {
		if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte(goMod), 0o666); err != nil {
			t.Fatal(err)
		}
		m, err := Find(root)
		if err == nil {
			err = m.GoFiles(t.Context(), func(path string, _ []byte) {
				name, _ := filepath.Rel(root, path)
				names = append(names, filepath.ToSlash(name))
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	t.Run("AreNotThoseOfDependenciesAndOtherModules", func(t *testing.T) {
		want := []string{"a.go", "dist/a.go", "out/bin/a.go", "static/a.go", "store/a.go", "store/vendored/a.go", "web/dist/a.go", "web/dist/b/a.go", "web/out/bin/a.go", "web/static/a.go"}
		if got := files("module a\n"); !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("AreThoseOfAModuleBehindALink", func(t *testing.T) {
		link, got := filepath.Join(t.TempDir(), "link"), ""
		if err := os.Symlink(root, link); err != nil {
			t.Skip(err)
		}
		err := (&Module{Root: link}).GoFiles(t.Context(), func(path string, _ []byte) { got = cmp.Or(got, path) })
		if want := filepath.Join(link, "a.go"); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	})
	t.Run("AreNotThoseThatGoModIgnores", func(t *testing.T) {
		want := []string{"a.go", "store/a.go", "store/vendored/a.go", "web/out/bin/a.go", "web/static/a.go"}
		if got := files("module a\n\ngo 1.25\n\nignore (\n\t./static\n\tdist\n\t./out/bin\n)\n"); !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	})
}
