package vet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/sqlcheck"
)

// MovePins moves the broken pins of the packages to the newest migration, in files that
// go vet finds nothing in once they are moved. What it cannot check, such as SQL that is
// put together at run time, does not keep a pin from moving. It also returns what go vet
// finds.
//
// A package with a broken pin does not compile, and go vet passes no such package to an
// analyzer. So go vet reads the files as they would be, from an overlay, and only those
// in which it finds nothing are written.
func (v *Vet) MovePins(ctx context.Context) (moved []genfile.Pin, found []Finding, err error) {
	files, err := v.pinned(ctx)
	if err != nil {
		return nil, nil, err
	}
	overlay, err := newOverlay(files)
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(overlay.dir)
	// What go vet finds in a copy has the copy's name, and is cached by its text and by
	// the flags as they are spelled. With another spelling, it never answers Run.
	all, failure := v.run(ctx, "-overlay="+overlay.index, "-"+sqlcheck.Analyzer.Name+".tests=TRUE")
	failure = overlay.rename(failure)

	wrong, stale := map[string]bool{}, false
	for _, f := range all {
		f.File = overlay.original(f.File)
		if _, hasPins := files[f.File]; !hasPins && !v.Tests && strings.HasSuffix(f.File, "_test.go") {
			continue // only its pins were to be checked
		}
		found = append(found, f)
		wrong[f.File] = wrong[f.File] || f.Category != "why"
		stale = stale || f.Category == "stale"
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return strings.Compare(a.File, b.File) })
	if failure != nil || stale {
		return nil, found, failure
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if wrong[file] {
			continue
		}
		if err := genfile.Rewrite(file, files[file].text); err != nil {
			return moved, found, err
		}
		moved = append(moved, files[file].pins...)
	}
	return moved, found, nil
}

// A pinnedFile is a file with broken pins.
type pinnedFile struct {
	pins []genfile.Pin
	text []byte // with the pins moved
}

// pinned returns the files of the packages that have broken pins, by absolute name.
func (v *Vet) pinned(ctx context.Context) (map[string]pinnedFile, error) {
	config := &packages.Config{Context: ctx, Tests: true, BuildFlags: v.buildFlags(),
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps}
	loaded, err := packages.Load(config, v.Packages...)
	if err != nil {
		return nil, err
	}
	latest := map[genfile.Package]string{}
	packages.Visit(loaded, nil, func(p *packages.Package) {
		for _, name := range p.GoFiles {
			if filepath.Base(name) != genfile.Name {
				continue
			}
			source, _ := os.ReadFile(name)
			if file, _ := genfile.Parse(source); file != nil && file.Latest != "" {
				latest[genfile.Package{Dir: filepath.Dir(name), Path: p.PkgPath, Name: file.Package}] = file.Latest
			}
		}
	})
	files := map[string]pinnedFile{}
	for _, p := range loaded {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			var f pinnedFile
			var edits []genfile.Edit
			for pkg, latest := range latest {
				for _, pin := range pkg.BrokenPins(name, text, latest) {
					f.pins = append(f.pins, pin)
					edits = append(edits, pin.Edit())
				}
			}
			if len(f.pins) > 0 {
				slices.SortFunc(f.pins, func(a, b genfile.Pin) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
				f.text = genfile.Apply(text, edits)
				files[name] = f
			}
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
	files map[string]string // those that are replaced, by the ends of their copies' names
}

// newOverlay writes the new texts of files. The caller removes dir.
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
		// The end is the same each time: the go command may answer from its cache, with
		// the names that copies had in an earlier run's folder.
		sum := sha256.Sum256([]byte(file))
		end := filepath.Join(hex.EncodeToString(sum[:8]), filepath.Base(file))
		replace[file], o.files[end] = filepath.Join(dir, end), file
		if err := os.Mkdir(filepath.Dir(replace[file]), 0o777); err != nil {
			return nil, err
		}
		if err := os.WriteFile(replace[file], f.text, 0o666); err != nil {
			return nil, err
		}
	}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return o, os.WriteFile(o.index, index, 0o666)
}

// original returns the name of the file that has this copy, or else name.
func (o *overlay) original(name string) string {
	end := filepath.Join(filepath.Base(filepath.Dir(name)), filepath.Base(name))
	return cmp.Or(o.files[end], name)
}

// rename gives the copies that the go command mentions the names of the files.
func (o *overlay) rename(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	here, _ := os.Getwd()
	for end, file := range o.files {
		if name, err := filepath.Rel(here, file); err == nil {
			file = name
		}
		text = regexp.MustCompile(`\S*`+regexp.QuoteMeta(end)).ReplaceAllLiteralString(text, file)
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
