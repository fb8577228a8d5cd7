package vet

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/genfile"
)

// MovePins moves the broken pins of the packages to the newest migration, in files in
// which all SQL is checked and right once they are moved. It also returns what go vet
// finds, and what it cannot check in the files with pins that stay.
//
// A package with a broken pin does not compile, and go vet passes no such package to an
// analyzer. So go vet reads the files as they would be, from an overlay, and only those
// in which it finds nothing are written.
func (v *Vet) MovePins(ctx context.Context) (moved []genfile.Pin, found []Finding, err error) {
	files, err := v.pinned(ctx)
	if err != nil {
		return nil, nil, err
	}
	moving := *v
	moving.Tests, moving.Why, moving.texts = true, true, map[string][]byte{}
	for name, f := range files {
		moving.texts[name] = f.text
	}
	all, failure := moving.Run(ctx)

	stay, stale := map[string]bool{}, false
	for _, f := range all {
		_, hasPins := files[f.File]
		switch {
		case !hasPins && !v.Tests && strings.HasSuffix(f.File, "_test.go"):
			continue // only its pins were to be checked
		case hasPins && (slices.Contains([]string{"why", "part", "doubt"}, f.Category)):
			f.Category = "pin"
			f.Fact = "pin not moved: " + strings.TrimPrefix(f.Fact, "not checked: ")
		case f.Unchecked() && !v.Why:
			continue
		}
		found = append(found, f)
		stay[f.File] = stay[f.File] || !f.Unchecked()
		stale = stale || f.Category == "stale"
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return strings.Compare(a.File, b.File) })
	if failure != nil || stale {
		return nil, found, failure
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if stay[file] {
			continue
		}
		if err := os.WriteFile(file, files[file].text, 0o666); err != nil {
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
	all := v.list(ctx, append([]string{"-deps", "-test"}, v.buildFlags()...), v.Packages)
	latest := map[genfile.Package]string{}
	for _, p := range all {
		if !slices.Contains(p.GoFiles, genfile.Name) {
			continue
		}
		source, _ := os.ReadFile(filepath.Join(p.Dir, genfile.Name))
		if file, _ := genfile.Parse(source); file != nil && file.Latest != "" {
			path, _, _ := strings.Cut(p.ImportPath, " [") // as it is built for a test
			latest[genfile.Package{Dir: p.Dir, Path: path, Name: file.Package}] = file.Latest
		}
	}
	files := map[string]pinnedFile{}
	for _, p := range all {
		if p.DepOnly || p.ForTest != "" || strings.HasSuffix(p.ImportPath, ".test") {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
			name = filepath.Join(p.Dir, name)
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
