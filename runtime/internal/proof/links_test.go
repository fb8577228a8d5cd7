//go:build unix

package proof_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

// precious makes a folder with files that are none of lockstep's, but have the names that it
// gives to its own.
func precious(t testing.TB) (dir, holds string) {
	t.Helper()
	dir = newFolder(t)
	for _, name := range []string{"precious", "1/copy/data.db", "1/scratch", "copy.db", "data.db"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("precious"), 0o604)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, inventory(t, dir)
}

// inventory lists all in a folder, with modes and contents.
func inventory(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			var text []byte
			text, err = os.ReadFile(path)
			fmt.Fprintf(&b, "%s %v %q\n", path, info.Mode(), text)
		} else {
			fmt.Fprintf(&b, "%s %v\n", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inTheWay are the names beside a database that lockstep and SQLite give to their own files.
func inTheWay() (names []string) {
	names = []string{".lockstep", ".lockstep/1", ".1.backup-part", "-journal", "-wal", "-shm"}
	for i := range 3 {
		for _, n := range []backupfile.Name{{Version: 1, Auto: true}, {Version: 1}} {
			n.Time = time.Now().Add(time.Duration(i) * time.Second)
			names = append(names, n.Path(""))
		}
	}
	return names
}

// TestProofLinks has links, to what is precious, in the place of each file that lockstep makes.
func TestProofLinks(t *testing.T) {
	for i, w := range works() {
		if w.name == "RestoreByForce" || !*long && (w.journal == "wal" || w.name == "Upgrade" || w.name == "RestoreOfNothing") {
			continue
		}
		w.begin(t)
		for j, kind := range linkKinds {
			if !*long && i%len(linkKinds) != j {
				continue
			}
			for _, name := range inTheWay() {
				if kind == "Pipe" && name[0] == '-' {
					continue // SQLite waits for whoever writes to it
				}
				if err := w.meets(t, kind, name, here); err != nil {
					t.Errorf("%s/%s, %s in the place of %s: %v", w.name, w.journal, kind, name, err)
				}
				tried.add("links in the place of files", 1)
			}
		}
	}
}

// linkKinds are the kinds of links to what is precious, and what is no file either.
var linkKinds = []string{"SymbolicLink", "SymbolicLinkToAFolder", "Link", "SymbolicLinkToNothing", "Pipe"}

func plant(kind, dir, path string) error {
	switch kind {
	case "SymbolicLinkToAFolder":
		return os.Symlink(dir, path)
	case "SymbolicLinkToNothing":
		return os.Symlink(filepath.Join(dir, "nothing"), path)
	case "Pipe":
		return syscall.Mkfifo(path, 0o600)
	case "Link":
		return os.Link(filepath.Join(dir, "precious"), path)
	}
	return os.Symlink(filepath.Join(dir, "precious"), path)
}

// here does the work in this process.
func here(p *program) error { return p.run(false) }

// meets does the work beside a link, and returns what harm it has done.
func (w *work) meets(t testing.TB, kind, name string, do func(*program) error) error {
	t.Helper()
	dir, before := precious(t)
	defer os.RemoveAll(dir)
	path := copied(t, w.folder)
	defer os.RemoveAll(filepath.Dir(path))
	os.MkdirAll(filepath.Dir(path+name), 0o700) // .lockstep
	if err := plant(kind, dir, path+name); err != nil {
		t.Fatal(err)
	}
	err := do(w.here(path))
	if strings.HasPrefix(name, "-") && kind == "Link" {
		return nil // that would be SQLite's own file, under another name
	}
	return w.harmed(t, path, dir, before, err)
}

// harmed returns an error if what is precious has changed, or the database is neither old nor
// new. It does not matter whether the work could be done.
func (w *work) harmed(t testing.TB, path, dir, before string, failed error) error {
	t.Helper()
	if after := inventory(t, dir); after != before {
		return fmt.Errorf("after %v\ngot  %s\nwant %s", failed, after, before)
	}
	if got, err := holds(path); err == nil && !slices.Contains(w.allowed, got) {
		return fmt.Errorf("after %v\ngot %s", failed, got)
	}
	return nil
}

// TestProofPlantedLinks has links appear in the place of each file and folder that a program is
// about to make where others may write, too.
func TestProofPlantedLinks(t *testing.T) {
	needsTracing(t)
	for i, w := range works() {
		w.begin(t)
		n := w.makes(t)
		for j, kind := range linkKinds {
			for at := range n {
				if !*long && (i+at)%(4*len(linkKinds)) != j {
					continue
				}
				if err := w.finds(t, kind, at, w.here); err != nil {
					t.Errorf("%s/%s, %s: %v", w.name, w.journal, kind, err)
				}
				tried.add("links that appeared", 1)
			}
		}
	}
}

// makes returns how many files and folders the program makes where others may write.
func (w *work) makes(t testing.TB) (n int) {
	t.Helper()
	for _, c := range w.calls(t, systemcalls.Changes) {
		if isOpen(c) {
			n++
		}
	}
	return n
}

// isOpen reports whether a call makes something where others may write, and that is not
// SQLite's.
func isOpen(c *systemcalls.Call) bool {
	path := cmp.Or(c.To, c.Path)
	isSide := slices.ContainsFunc(diskfile.SideFiles, func(end string) bool { return strings.HasSuffix(path, "data.db"+end) })
	return c.Makes && !isSide && !strings.Contains(path, ".lockstep/") && !strings.Contains(path, ".backup-part/") && !strings.Contains(path, "tmp/")
}

// finds does the work, has a link appear before call at of those that make something, and
// returns what harm was done.
func (w *work) finds(t testing.TB, kind string, at int, program func(path string) *program) error {
	t.Helper()
	dir, before := precious(t)
	defer os.RemoveAll(dir)
	path := copied(t, w.folder)
	defer os.RemoveAll(filepath.Dir(path))
	n, name := 0, ""
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Fate: func(c *systemcalls.Call) systemcalls.Fate {
		if isOpen(c) {
			if n == at {
				name = cmp.Or(c.To, c.Path)
				plant(kind, dir, name) // unless something is there
			}
			n++
		}
		return systemcalls.Fate{}
	}}
	stderr, err := traced(t, program(path), trace)
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, stderr)
	}
	return w.harmed(t, path, dir, before, err)
}

// TestProofNoticesHarmByLinks follows links, in each way.
func TestProofNoticesHarmByLinks(t *testing.T) {
	w := works()[0]
	w.begin(t)
	for claim, do := range map[string]func(name string) error{
		"Writes":             func(name string) error { return os.WriteFile(name, nil, 0o600) },
		"Appends":            func(name string) error { return appendTo(name) },
		"ChangesPermissions": func(name string) error { return os.Chmod(name, 0o600) },
	} {
		for _, kind := range linkKinds[:3] {
			if kind == "SymbolicLinkToAFolder" && claim != "ChangesPermissions" {
				continue
			}
			t.Run(claim+kind, func(t *testing.T) {
				name := inTheWay()[2]
				if err := w.meets(t, kind, name, func(p *program) error { return do(p.Path + name) }); err == nil {
					t.Error("noticed nothing")
				}
			})
		}
	}
	for _, kind := range []string{"SymbolicLink", "Link", "SymbolicLinkToNothing"} {
		t.Run("MakesWhatIsThere"+kind, func(t *testing.T) {
			needsTracing(t)
			careless := func(path string) *program { return &program{Work: "write", Path: path} }
			if err := w.finds(t, kind, 0, careless); err == nil {
				t.Error("noticed nothing")
			}
		})
	}
}

func appendTo(name string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("more")
	return errors.Join(err, f.Close())
}

// sweepsOnlyItsOwn has copies of scripts swept where the folder for them is a link.
func sweepsOnlyItsOwn(t testing.TB, sweep func(file string) error) error {
	t.Helper()
	dir, before := precious(t)
	path := databaseAt(t, newFolder(t), shop, 1)
	if err := os.Symlink(dir, path+".lockstep"); err != nil {
		t.Fatal(err)
	}
	err := sweep(path)
	if after := inventory(t, dir); after != before {
		err = fmt.Errorf("got %s, want %s", after, before)
	}
	return err
}

func TestProofNoticesASweepThroughALink(t *testing.T) {
	if err := sweepsOnlyItsOwn(t, livecopy.Sweep); err != nil {
		t.Error(err)
	}
	err := sweepsOnlyItsOwn(t, func(file string) error { return os.RemoveAll(filepath.Join(file+".lockstep", "1")) })
	if err == nil {
		t.Error("noticed nothing")
	}
}
