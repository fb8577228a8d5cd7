//go:build unix

package proof_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
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
			fmt.Fprintf(&b, "%s %v\n", path, d.Type())
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
// It does not matter whether the work can be done; what is precious stays.
func TestProofLinks(t *testing.T) {
	for i, w := range works() {
		if w.name == "RestoreByForce" || !*long && (w.journal == "wal" || w.name == "Upgrade" || w.name == "RestoreOfNothing") {
			continue
		}
		w.begin(t)
		for j, kind := range []string{"SymbolicLink", "SymbolicLinkToAFolder", "Link"} {
			if !*long && i%2 != j {
				continue
			}
			for _, name := range inTheWay() {
				dir, before := precious(t)
				path := copied(t, w.folder)
				os.MkdirAll(filepath.Dir(path+name), 0o700) // .lockstep
				link, to := os.Symlink, filepath.Join(dir, "precious")
				switch kind {
				case "SymbolicLinkToAFolder":
					to = dir
				case "Link":
					link = os.Link
				}
				if err := link(to, path+name); err != nil {
					t.Fatal(err)
				}
				err := w.here(path).run(false)
				if strings.HasPrefix(name, "-") && kind == "Link" {
					continue // that would be SQLite's own file, under another name
				}
				if after := inventory(t, dir); after != before {
					t.Errorf("%s/%s, %s in the place of %s: %v\ngot  %s\nwant %s", w.name, w.journal, kind, name, err, after, before)
				}
				if got, e := holds(path); e == nil && got != w.allowed[0] && got != w.allowed[len(w.allowed)-1] {
					t.Errorf("%s/%s, %s in the place of %s: %v\ngot %s", w.name, w.journal, kind, name, err, got)
				}
				os.RemoveAll(filepath.Dir(path))
				os.RemoveAll(dir)
				tried.add("links in the place of files", 1)
			}
		}
	}
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

// TestProofNames gives the database any name.
func TestProofNames(t *testing.T) {
	all := works()
	for i, base := range []string{"a?b#c%41&d.db", "it's \"quoted\".db", "-x=1;.db", "ü\u202e\x1b.db", "a\nb.db", "[0-9]*.db", ":memory:", "data.db.v0001.20200101T000000Z.backup"} {
		for j, w := range all {
			if w.name == "RestoreByForce" || !*long && (w.journal == "wal" || i%5 != j) {
				continue
			}
			if w.folder == "" {
				w.begin(t)
			}
			dir := filepath.Dir(copied(t, w.folder))
			path := filepath.Join(dir, base)
			if err := os.Rename(filepath.Join(dir, "data.db"), path); err != nil && w.name != "RestoreOfNothing" {
				t.Fatal(err)
			}
			p := w.here(path)
			p.DSN = sqlite.URI(path, "_pragma=foreign_keys(1)")
			if err := p.run(false); err != nil {
				t.Errorf("%s/%s of %q: %v", w.name, w.journal, base, err)
			}
			for name := range strings.SplitSeq(beside(path), " ") {
				_, isBackup := backupfile.Parse(path, filepath.Join(dir, name))
				if !strings.Contains(base, " ") && name != base && name != "old" && !isBackup {
					t.Errorf("%s/%s of %q made %q", w.name, w.journal, base, name)
				}
			}
			plain := filepath.Join(dir, "plain.db")
			if err := os.Rename(path, plain); err != nil {
				t.Fatal(err)
			}
			if got, err := holds(plain); err != nil || got != w.allowed[len(w.allowed)-1] {
				t.Errorf("%s/%s of %q: %v\n%s", w.name, w.journal, base, err, got)
			}
			os.RemoveAll(dir)
			tried.add("odd names of databases", 1)
		}
	}
}

// onAnother returns a new folder that is on another file system.
func onAnother(t testing.TB, folder string) string {
	t.Helper()
	cache, _ := os.UserCacheDir()
	places := []string{"/dev/shm", "/tmp", "/var/tmp", os.Getenv("XDG_RUNTIME_DIR"), cache, "."}
	for _, place := range places {
		dir, err := os.MkdirTemp(place, "proof")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if dir, err = filepath.Abs(dir); err == nil && errors.Is(os.Rename(dir, filepath.Join(folder, "moved")), syscall.EXDEV) {
			return dir
		}
		os.Remove(filepath.Join(folder, "moved"))
	}
	t.Skipf("%s and %q are on one file system", folder, places)
	return ""
}

// TestProofOtherFileSystem backs up to another file system, and restores from there.
func TestProofOtherFileSystem(t *testing.T) {
	disk := t.TempDir()
	memory := onAnother(t, disk)
	path := databaseAt(t, disk, shop, 1)
	want := must(t)(holds(path))
	db, err := database.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	to := filepath.Join(memory, "there.backup")
	if _, err := db.Backup(t.Context(), to, false, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t, path, schemaOf(t, shop, 4), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := database.Restore(t.Context(), database.Restoration{DB: path, Backup: to, NoBackup: true, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if got := must(t)(holds(path)) + beside(path) + beside(to); got != want+"data.dbthere.backup" {
		t.Errorf("got %s", got)
	}
}

// TestProofFolderThatChanges reads a folder of migrations while files come and go: what is read
// is of one moment, or refused.
func TestProofFolderThatChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) { os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	write("0001-a.sql", "CREATE TABLE a (b);")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			write("0002-b.sql", fmt.Sprintf("CREATE TABLE b%d (c);", i%2))
			write("0003-c.sql", "CREATE TABLE c (d);")
			os.Remove(filepath.Join(dir, "0002-b.sql"))
			os.Remove(filepath.Join(dir, "0003-c.sql"))
		}
	}()
	read, rounds := 0, 200
	if *long {
		rounds = 5000
	}
	var refused error
	for range rounds {
		result, err := gen.Load(t.Context(), dir, gen.Options{})
		if err != nil {
			refused = err
			continue
		}
		read++
		for i, m := range result.Schema.Migrations {
			if int(m.Version) != i+1 {
				t.Errorf("got %v", result.Schema.Migrations)
			}
		}
		if n := strings.Count(result.Schema.SQL, "CREATE TABLE"); n != len(result.Schema.Migrations) {
			t.Errorf("%d migrations make\n%s", len(result.Schema.Migrations), result.Schema.SQL)
		}
	}
	close(stop)
	<-done
	if read == 0 || refused == nil {
		t.Logf("read %d of %d times; %v", read, rounds, refused)
	}
}

// TestProofClockThatJumps upgrades in the year 2000 and finds backups of the years 1999 and 2099.
func TestProofClockThatJumps(t *testing.T) {
	s := schemaOf(t, shop, 4)
	path := databaseAt(t, newFolder(t), shop, 1)
	old := must(t)(holds(path))
	var others []string
	for _, year := range []int{1999, 2099} {
		n := backupfile.Name{Version: 1, Time: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}
		others = append(others, n.Path(path))
		if err := os.WriteFile(n.Path(path), []byte(fmt.Sprint(year)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		if err := migrate(t, path, s, []string{unsynced}, lockstep.WithBackup(1)); err != nil {
			t.Error(err)
		}
	})
	for _, name := range others { // they are kept until somebody removes them
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	backups, err := lockstep.Backups(path)
	if err != nil || len(backups) != 3 || backups[1].Time.Year() != 2000 {
		t.Fatalf("got %v, %v", backups, err)
	}
	if got := must(t)(holds(backups[1].Path)); got != old {
		t.Errorf("the backup holds\n%s", got)
	}
}
