//go:build unix

package script_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestLeftovers has a killed program leave a copy. The next start removes it, whatever it
// has to do.
func TestLeftovers(t *testing.T) {
	for _, test := range []struct {
		claim           string
		version, latest int
		noted           bool // that the schema is right
	}{
		{"ThatUpgrades", 2, 6, true},
		{"ThatHasNothingToDo", 6, 6, true},
		{"AfterAProgramThatWasKilledAfterItsLastStep", 6, 6, false},
		{"OfTheReleaseBefore", 4, 4, true},
	} {
		t.Run("AreRemovedByTheNextStart"+test.claim, func(t *testing.T) {
			path := shopAt(t, test.version, "delete")
			db := connect(t, path)
			if !test.noted { // this is how the last step leaves the history
				execute(t, path, "UPDATE _lockstep_history SET cookie = NULL")
			}
			lay(t, path+".lockstep/123/copy/data.db", path+".lockstep/123/scratch", path+".lockstep/45/data.db")
			if err := lockstep.Migrate(t.Context(), db, schema(t, shop, test.latest)); err != nil {
				t.Fatal(err)
			}
			db.Close()
			if got := beside(t, path); got != "data.db" {
				t.Errorf("beside the database is %s", got)
			}
			if got, want := look(t, path), lockstep.Version(test.latest).String(); !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("AreRemovedBeforeABackupNeedsTheRoom", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		lay(t, path+".lockstep/123/copy/data.db")
		looked := false
		err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, shop, 6), lockstep.WithBackup(1), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Backup != "" && !p.Done {
				_, err := os.Lstat(path + ".lockstep")
				looked = errors.Is(err, fs.ErrNotExist)
			}
		}))
		if err != nil || !looked {
			t.Errorf("got %v, removed before: %v", err, looked)
		}
	})
	t.Run("AreNotWhatALivingProgramUses", func(t *testing.T) {
		for _, journal := range []string{"delete", "wal"} {
			path := shopAt(t, 2, journal)
			dir := t.TempDir()
			text := whole + "open('" + dir + "/started', 'w').close()\nwhile not os.path.exists('" + dir + "/go on'): time.sleep(0.005)\n" +
				"db.execute('SELECT 1 FROM items').fetchone(); os.stat(path)\n"
			upgraded := make(chan error)
			go func() {
				upgraded <- lockstep.Migrate(t.Context(), connect(t, path), withScript(schema(t, shop, 6), text))
			}()
			waitUntil(t, "the script starts", func() bool { _, err := os.Stat(dir + "/started"); return err == nil })
			if err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, shop, 2)); err != nil {
				t.Error(err)
			}
			if err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, shop, 3), lockstep.WithTimeout(1)); !errors.Is(err, lockstep.ErrBusy) {
				t.Errorf("got %v, want %v", err, lockstep.ErrBusy)
			}
			lay(t, dir+"/go on")
			if err := <-upgraded; err != nil {
				t.Error(err)
			}
			if got := look(t, path); got != newShop {
				t.Errorf("got %s, want %s", got, newShop)
			}
		}
	})
}

func TestFolderOfLeftovers(t *testing.T) {
	t.Run("IsRemovedThoughALossOfPowerHasEmptiedIt", func(t *testing.T) {
		path := shopAt(t, 6, "wal")
		if err := os.Mkdir(path+".lockstep", 0o700); err != nil {
			t.Fatal(err)
		}
		db := connect(t, path)
		if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 6)); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if got := beside(t, path); got != "data.db" {
			t.Errorf("beside the database is %s", got)
		}
	})
}

// TestProofFullDisk has a file grow too large, sooner and later: in a process of its own, because
// the limit is also that of the file in which go test has the process note what it reads.
func TestProofFullDisk(t *testing.T) {
	const own = "LOCKSTEP_TEST_FULL_DISK"
	if os.Getenv(own) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProofFullDisk$")
		cmd.Env = append(os.Environ(), own+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, journal := range []string{"delete", "wal"} {
		t.Run("LeavesTheDatabaseAndNothingBeside/"+journal, func(t *testing.T) {
			original := shopAt(t, 2, journal)
			var before syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
				t.Fatal(err)
			}
			failed := 0
			limited := before
			for limited.Cur = 512; ; limited.Cur += 12 << 10 {
				path := copyOf(t, original)
				db := connect(t, path)
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
					t.Fatal(err)
				}
				err := lockstep.Migrate(t.Context(), db, schema(t, shop, 6))
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
					t.Fatal(err)
				}
				db.Close()
				if got := look(t, path); err != nil && got != oldShop {
					t.Errorf("%d bytes: got %s, want %s", limited.Cur, got, oldShop)
				}
				// (What SQLite can then not remove, it removes when the database is opened again.)
				if got := beside(t, path); got != "data.db" {
					t.Errorf("%d bytes: beside the database is %s after %v", limited.Cur, got, err)
				}
				if err == nil {
					break
				}
				failed++
			}
			if failed < 3 {
				t.Errorf("only %d sizes were too small", failed)
			}
		})
	}
}

// TestFolder has what is somebody else's where the copies go.
func TestFolder(t *testing.T) {
	s := schema(t, shop, 6)
	originals := map[int]string{2: shopAt(t, 2, "delete"), 6: shopAt(t, 6, "delete")}
	const isNone = "data.db: data.db.lockstep is not a folder; scripts need a folder of this name; rolled back, still at 0002"
	for _, test := range []struct {
		claim   string
		lay     func(t *testing.T, folder, elsewhere string)
		refusal string // of an upgrade, or ""
		remains string // in the folder
	}{
		{"ALinkToAFolder", func(t *testing.T, folder, elsewhere string) {
			lay(t, elsewhere+"/123/copy/data.db")
			link(t, os.Symlink, elsewhere, folder)
		}, isNone, "123 123/copy 123/copy/data.db precious"},
		{"ALinkToAFolderBeside", func(t *testing.T, folder, elsewhere string) {
			lay(t, filepath.Dir(folder)+"/photos/123/copy/data.db")
			link(t, os.Symlink, "photos", folder)
		}, isNone, "123 123/copy 123/copy/data.db"},
		{"ALinkToNothing", func(t *testing.T, folder, elsewhere string) {
			link(t, os.Symlink, elsewhere+"/nothing", folder)
		}, isNone, ""},
		{"AFile", func(t *testing.T, folder, elsewhere string) { lay(t, folder) }, isNone, "data.db.lockstep"},
		{"AHardLink", func(t *testing.T, folder, elsewhere string) { link(t, os.Link, elsewhere+"/precious", folder) }, isNone, "data.db.lockstep"},
		{"FilesInTheFolder", func(t *testing.T, folder, elsewhere string) {
			lay(t, folder+"/notes", folder+"/2024/notes", folder+"/2025/copy of/data.db", folder+"/7", folder+"/old/copy/data.db", folder+"/123/copy/data.db")
			link(t, os.Symlink, elsewhere, folder+"/89")
		}, "", "2024 2024/notes 2025 2025/copy of 2025/copy of/data.db 7 89 notes old old/copy old/copy/data.db"},
		{"LinksInACopy", func(t *testing.T, folder, elsewhere string) {
			lay(t, folder+"/123/copy/data.db", folder+"/keep")
			link(t, os.Symlink, elsewhere, folder+"/123/copy/link")
			link(t, os.Symlink, elsewhere, folder+"/123/data.db-link")
			link(t, os.Link, elsewhere+"/precious", folder+"/123/copy/precious")
		}, "", "keep"},
		{"AFolderOfAnotherUser", func(t *testing.T, folder, elsewhere string) {
			lay(t, folder+"/123/copy/data.db")
			if err := os.Chown(folder, 65533, 65533); err != nil {
				t.Skip(err)
			}
		}, "data.db: data.db.lockstep belongs to another user; scripts need a folder of this name; rolled back, still at 0002", "123 123/copy 123/copy/data.db"},
	} {
		for start, version := range map[string]int{"AStart": 6, "AnUpgrade": 2} {
			t.Run(start+"LeavesAlone"+test.claim, func(t *testing.T) {
				path := copyOf(t, originals[version])
				elsewhere := t.TempDir()
				lay(t, elsewhere+"/precious")
				test.lay(t, path+".lockstep", elsewhere)
				execute(t, path, "UPDATE _lockstep_history SET cookie = NULL") // a start looks twice

				err := lockstep.Migrate(t.Context(), connect(t, path), s)
				want := "<nil>"
				if version == 2 && test.refusal != "" {
					want = test.refusal
				}
				if got := message(err, path); got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
				if got := tree(path + ".lockstep"); got != test.remains {
					t.Errorf("in the folder are %s, want %s", got, test.remains)
				}
				if text, err := os.ReadFile(elsewhere + "/precious"); string(text) != "precious" {
					t.Errorf("the file is now %q, %v", text, err)
				}
			})
		}
	}
}

// TestPermissions looks at what a copy and its folders let others do.
func TestPermissions(t *testing.T) {
	const text = `import os, sys
folder = os.path.dirname(os.path.dirname(os.path.dirname(sys.argv[1])))
print(oct(os.stat(folder).st_mode)[-3:], "folder")
for at, dirs, files in os.walk(folder):
    dirs.sort()
    for name in dirs + sorted(files):
        print(oct(os.stat(os.path.join(at, name)).st_mode)[-3:], "N" if name.isdigit() else name)
sys.exit(1)
`
	s := withScript(schema(t, shop, 6), text)
	path := shopAt(t, 2, "wal")
	for _, test := range []struct {
		mode  fs.FileMode
		umask int
	}{{0o600, 0}, {0o640, 0}, {0o666, 0}, {0o600, 0o022}, {0o644, 0o077}, {0o600, 0o177}} {
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		before := syscall.Umask(test.umask)
		err := lockstep.Migrate(t.Context(), connect(t, path), s)
		syscall.Umask(before)
		want := fmt.Sprintf("data.db: 0003-cents.py: exit status 1; rolled back, still at 0002:\n700 folder\n700 N\n700 copy\n600 scratch\n600 0003-cents.py\n%o data.db", test.mode)
		if got := message(err, path); got != want {
			t.Errorf("%o, umask %o: got %s\nwant %s", test.mode, test.umask, got, want)
		}
	}
}

// A journal has pages of the copy.
func TestPermissionsOfAJournal(t *testing.T) {
	for _, umask := range []int{0, 0o022} {
		path := shopAt(t, 2, "wal")
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		got := ""
		before := syscall.Umask(umask)
		err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, shop, 6), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.File == "0004-index.sql" && p.Statement == 2 && p.Done {
				journals, _ := filepath.Glob(path + ".lockstep/*/copy/data.db-journal")
				for _, journal := range journals {
					info, err := os.Stat(journal)
					if err != nil {
						t.Error(err)
						return
					}
					got += info.Mode().String()
				}
			}
		}))
		syscall.Umask(before)
		if err != nil || got != "-rw-r-----" {
			t.Errorf("umask %o: got %s, %v", umask, got, err)
		}
	}
}

// lay makes files whose text is their name, and their folders.
func lay(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t *testing.T, link func(old, name string) error, old, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := link(old, name); err != nil {
		t.Fatal(err)
	}
}

// tree returns the names in a folder, and in those in it, or that of a file.
func tree(dir string) string {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return filepath.Base(dir)
	}
	var names []string
	fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			names = append(names, name)
		}
		return err
	})
	return strings.Join(names, " ")
}
