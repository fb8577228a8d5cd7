package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
)

// movePins moves the broken pins of the packages to the newest migration, in files
// that go vet finds nothing in once they have been moved. What it cannot check, such
// as SQL that is put together at run time, does not hold a pin back.
//
// A package with a broken pin does not compile, and go vet hands no such package to
// an analyzer. So go vet is shown the files as they would be, in an overlay, and
// only what it accepts is written.
func (v *vet) movePins(ctx context.Context, s *streams) (result, error) {
	out := vetResult{Pins: []genfile.Pin{}}
	files, err := v.pinned(ctx)
	if err != nil {
		return out, err
	}
	overlay, err := newOverlay(files)
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(overlay.dir)
	found, failure := v.run(ctx, overlay.index)
	failure = overlay.rename(failure)

	refused, stale := map[string]bool{}, false
	var rest []finding
	for _, f := range found {
		f.File = overlay.original(f.File)
		_, hasPins := files[f.File]
		if strings.HasSuffix(f.File, "_test.go") && !v.tests && !hasPins {
			continue // they were checked for their pins only
		}
		rest = append(rest, f)
		refused[f.File] = refused[f.File] || f.category != "why"
		stale = stale || f.category == "stale"
	}
	slices.SortStableFunc(rest, func(a, b finding) int { return strings.Compare(a.File, b.File) })
	if failure == nil && !stale {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if refused[file] {
				continue
			}
			if err := rewrite(file, files[file].text); err != nil {
				return out, err
			}
			out.Pins = append(out.Pins, files[file].pins...)
		}
	}
	return out, v.report(s, rest, failure)
}

// A pinnedFile is a file with broken pins.
type pinnedFile struct {
	pins []genfile.Pin
	text []byte // with the pins moved
}

// pinned returns the files of the packages that have broken pins, by absolute
// name.
func (v *vet) pinned(ctx context.Context) (map[string]pinnedFile, error) {
	type listed struct {
		Dir, ImportPath                              string
		GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
		DepOnly                                      bool
	}
	args := append([]string{"list", "-e", "-deps", "-test", "-json=Dir,ImportPath,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,DepOnly"}, v.buildFlags()...)
	stdout, err := goCommand(ctx, append(args, v.packages...)...)
	if err != nil {
		return nil, err
	}
	type pinnable struct {
		genfile.Package
		newest string
	}
	var migrations []pinnable
	var own []string
	for dec := json.NewDecoder(bytes.NewReader(stdout)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if strings.HasSuffix(p.ImportPath, ".test") || strings.HasSuffix(p.ImportPath, "]") {
			continue // the same files once more, as a test has them
		}
		if slices.Contains(p.GoFiles, gen.FileName) {
			source, err := os.ReadFile(filepath.Join(p.Dir, gen.FileName))
			if err != nil {
				return nil, err
			}
			if file, _ := genfile.Parse(source); file != nil && file.Latest != "" {
				migrations = append(migrations, pinnable{genfile.Package{Dir: p.Dir, Path: p.ImportPath, Name: file.Package}, file.Latest})
			}
		}
		if !p.DepOnly {
			for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
				own = append(own, filepath.Join(p.Dir, name))
			}
		}
	}

	files := map[string]pinnedFile{}
	for _, file := range own {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var pins []genfile.Pin
		for _, m := range migrations {
			pins = append(pins, m.BrokenPins(file, text, m.newest)...)
		}
		if len(pins) > 0 {
			slices.SortFunc(pins, func(a, b genfile.Pin) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
			var edits []genfile.Edit
			for i := range pins {
				edits = append(edits, pins[i].Edit())
				pins[i].File = fromHere(file)
			}
			files[file] = pinnedFile{pins, genfile.Apply(text, &edits)}
		}
	}
	return files, nil
}

// An overlay is a folder with files that the go command reads in place of others.
//
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies
type overlay struct {
	dir   string
	index string            // the file that the flag -overlay names
	files map[string]string // what is read otherwise, by the end of the other's name
}

// newOverlay writes the files' new texts. The caller removes dir.
func newOverlay(files map[string]pinnedFile) (_ *overlay, err error) {
	dir, err := os.MkdirTemp("", "lockstep-vet-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	o := &overlay{dir, filepath.Join(dir, "overlay.json"), map[string]string{}}
	replace := map[string]string{}
	for file, f := range files {
		end := copyOf(file)
		copied := filepath.Join(dir, end)
		if err := os.Mkdir(filepath.Dir(copied), 0o777); err != nil {
			return nil, err
		}
		if err := os.WriteFile(copied, f.text, 0o666); err != nil {
			return nil, err
		}
		replace[file], o.files[end] = copied, file
	}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return o, os.WriteFile(o.index, index, 0o666)
}

// copyOf returns the name of a file's copy in the overlay. It is the same each
// time, because the go command may answer from its cache, with the names that
// copies had in an earlier run's folder.
func copyOf(file string) string {
	sum := sha256.Sum256([]byte(file))
	return filepath.Join(hex.EncodeToString(sum[:8]), filepath.Base(file))
}

// original returns the name of the file that is read otherwise under this name.
func (o *overlay) original(name string) string {
	end := filepath.Join(filepath.Base(filepath.Dir(name)), filepath.Base(name))
	if file, ok := o.files[end]; ok {
		return file
	}
	return name
}

// rename gives the files in what the go command says the names that the user has
// for them.
func (o *overlay) rename(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for end, file := range o.files {
		text = regexp.MustCompile(`\S*`+regexp.QuoteMeta(end)).ReplaceAllLiteralString(text, fromHere(file))
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// rewrite replaces the text of a file, which keeps its permissions.
func rewrite(file string, text []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, info.Mode().Perm())
}
