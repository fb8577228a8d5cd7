package proof_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
)

// TestProofPermissions looks at all files before each system call of a program: at no moment can
// somebody read a copy who cannot read the database, whatever the umask is.
func TestProofPermissions(t *testing.T) {
	needsTracing(t)
	for i, w := range works() {
		if w.name == "Generate" {
			continue // source is not secret
		}
		w.begin(t)
		for j, umask := range []string{"000", "077", "027"} {
			for k, mode := range []fs.FileMode{0o600, 0o640, 0o644} {
				if !*long && (i+j+k)%9 != 0 {
					continue
				}
				p := func(path string) *program { return w.here(path) }
				if err := w.reveals(t, umask, mode, p); err != nil {
					t.Errorf("%s/%s of a database with %v, umask %s: %v", w.name, w.journal, mode, umask, err)
				}
				tried.add("programs whose files' permissions were watched", 1)
			}
		}
	}
}

// reveals has the program do its work, and returns an error if others could read what they may
// not, or at the end may not read a backup that they could read as the database.
func (w *work) reveals(t testing.TB, umask string, mode fs.FileMode, program func(path string) *program) error {
	t.Helper()
	path := copied(t, w.folder)
	root := filepath.Dir(path)
	defer os.RemoveAll(root)
	for _, name := range []string{".", "old"} {
		os.Chmod(filepath.Join(root, name), 0o755)
	}
	for _, name := range []string{"data.db", "old/backup.db"} {
		os.Chmod(filepath.Join(root, name), mode)
	}
	p := program(path)
	p.Umask = umask
	var wrong error
	look := func(next string) {
		if err := readable(root, mode, p.Work == "migrate"); err != nil && wrong == nil {
			wrong = fmt.Errorf("before %s: %w", next, err)
		}
	}
	stderr, err := traced(t, p, &systemcalls.Tracer{Root: root, Fate: func(c *systemcalls.Call) systemcalls.Fate {
		look(c.Name + " " + strings.TrimPrefix(c.Path, root))
		return systemcalls.Fate{}
	}})
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr)
	}
	look("the end")
	if wrong != nil {
		return wrong
	}
	made := []string{path}
	backups, err := lockstep.Backups(path)
	for _, b := range backups {
		made = append(made, b.Path)
	}
	for _, name := range made {
		info, e := os.Stat(name)
		if e == nil && info.Mode().Perm() != mode {
			e = fmt.Errorf("%s has %v", filepath.Base(name), info.Mode())
		}
		if err == nil {
			err = e
		}
	}
	return err
}

// readable returns an error if a file in a folder can be read by more than mode says. SQLite's
// own of a program's database are as its driver makes them.
func readable(root string, mode fs.FileMode, driver bool) error {
	masks := map[string]fs.FileMode{} // of folders: who can enter
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		info := fs.FileInfo(nil)
		if err == nil {
			info, err = d.Info()
		}
		if err != nil {
			return nil // it has been removed
		}
		by, known := masks[filepath.Dir(path)]
		if !known {
			by = 0o777
		}
		if d.IsDir() {
			enter := info.Mode().Perm() & 0o111
			masks[path] = by & (enter | enter<<2)
			return nil
		}
		isDriver := driver && strings.HasPrefix(path, filepath.Join(root, "data.db-"))
		if more := info.Mode().Perm() & by & 0o044 &^ mode; more != 0 && !isDriver {
			return fmt.Errorf("%s has %v", strings.TrimPrefix(path, root), info.Mode())
		}
		return nil
	})
}

// TestProofNoticesPermissions makes a file that others can read for a moment.
func TestProofNoticesPermissions(t *testing.T) {
	needsTracing(t)
	w := works()[0]
	w.begin(t)
	for umask, mode := range map[string]fs.FileMode{"000": 0o600, "007": 0o600, "022": 0o640} {
		t.Run(umask, func(t *testing.T) {
			careless := func(path string) *program { return &program{Work: "write", Path: path} }
			if err := w.reveals(t, umask, mode, careless); err == nil {
				t.Error("noticed nothing")
			} else {
				t.Logf("%.200v", err)
			}
		})
	}
}
