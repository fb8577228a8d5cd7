//go:build unix

package proof_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// TestProofNames gives the database any name.
func TestProofNames(t *testing.T) {
	all := works()
	for i, base := range oddNames {
		for j, w := range all {
			if w.name == "RestoreByForce" || !*long && (w.journal == "wal" || i%5 != j) {
				continue
			}
			if w.folder == "" {
				w.begin(t)
			}
			if err := w.named(t, base, here); err != nil {
				t.Errorf("%s/%s of %q: %v", w.name, w.journal, base, err)
			}
			tried.add("odd names of databases", 1)
		}
	}
}

var oddNames = []string{"a?b#c%41&d.db", "it's \"quoted\".db", "-x=1;.db", "ü\u202e\x1b.db", "a\nb.db", "[0-9]*.db", ":memory:", "data.db.v0001.20200101T000000Z.backup",
	"file:a.db", " a\xff\xfe ", "~", "data.db-wal"}

// named does the work on a database of that name, and returns what is wrong afterwards.
func (w *work) named(t testing.TB, base string, do func(*program) error) error {
	t.Helper()
	dir := filepath.Dir(copied(t, w.folder))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, base)
	if err := os.Rename(filepath.Join(dir, "data.db"), path); err != nil && w.name != "RestoreOfNothing" && w.name != "Generate" {
		t.Fatal(err)
	}
	p := w.here(path)
	p.DSN = sqlite.URI(path, "_pragma=foreign_keys(1)")
	if err := do(p); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		_, isBackup := backupfile.Parse(path, filepath.Join(dir, e.Name()))
		if e.Name() != base && e.Name() != "old" && !slices.Contains(w.others, e.Name()) && !isBackup {
			return fmt.Errorf("it made %q", e.Name())
		}
	}
	plain := filepath.Join(dir, "plain.db")
	if err := os.Rename(path, plain); err != nil && w.name != "Generate" {
		return err
	}
	got, err := holds(plain)
	if err == nil && got != w.allowed[len(w.allowed)-1] {
		err = fmt.Errorf("got %s", got)
	}
	return err
}

// TestProofNoticesNames takes names for what they are not.
func TestProofNoticesNames(t *testing.T) {
	for claim, broken := range map[string]struct {
		base string
		do   func(p *program) error
	}{
		"ANameThatIsCutOff": {oddNames[0], func(p *program) error { p.DSN = "file:" + p.Path; return here(p) }},
		"ANameThatIsDecoded": {oddNames[0], func(p *program) error {
			p.DSN = "file:" + strings.NewReplacer("?", "%3f", "#", "%23").Replace(p.Path)
			return here(p)
		}},
		"ANameThatIsAPattern": {oddNames[5], func(p *program) error {
			return errors.Join(here(p), os.WriteFile(strings.Replace(p.Path, "[0-9]*", "7", 1), nil, 0o600))
		}},
		"ADatabaseInMemory": {oddNames[6], func(p *program) error { p.DSN = oddNames[6]; return here(p) }},
		"WorkThatIsNotDone": {oddNames[1], func(p *program) error { return nil }},
	} {
		t.Run(claim, func(t *testing.T) {
			w := works()[0]
			w.begin(t)
			if err := w.named(t, broken.base, broken.do); err == nil {
				t.Error("noticed nothing")
			} else {
				t.Logf("%.200v", err)
			}
		})
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
	stop := meanwhile(func(i int) {
		write("0002-b.sql", fmt.Sprintf("CREATE TABLE b%d (c);", i%2))
		write("0003-c.sql", "CREATE TABLE c (d);")
		os.Remove(filepath.Join(dir, "0002-b.sql"))
		os.Remove(filepath.Join(dir, "0003-c.sql"))
	})
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
		if err := ofOneMoment(result.Schema); err != nil {
			t.Error(err)
		}
	}
	stop()
	if read == 0 || refused == nil {
		t.Logf("read %d of %d times; %v", read, rounds, refused)
	}
}

// ofOneMoment returns an error if what was read of that folder was never all there at once.
func ofOneMoment(s *lockstep.Schema) error {
	for i, m := range s.Migrations {
		if int(m.Version) != i+1 {
			return fmt.Errorf("got %v", s.Migrations)
		}
	}
	if n := strings.Count(s.SQL, "CREATE TABLE"); n != len(s.Migrations) {
		return fmt.Errorf("%d migrations make\n%s", n, s.SQL)
	}
	return nil
}

// TestProofNoticesMoments takes names and texts of different moments for those of one.
func TestProofNoticesMoments(t *testing.T) {
	const one = "CREATE TABLE a (b);"
	for claim, s := range map[string]*lockstep.Schema{
		"ANameWithoutItsText": {Migrations: []lockstep.Migration{{Version: 1}, {Version: 2}}, SQL: one},
		"AHole":               {Migrations: []lockstep.Migration{{Version: 1}, {Version: 3}}, SQL: one + one},
	} {
		if ofOneMoment(s) == nil {
			t.Errorf("noticed nothing of %s", claim)
		}
	}
}

// meanwhile does something again and again, until it is stopped.
func meanwhile(do func(i int)) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
				do(i)
			}
		}
	}()
	return func() { close(over); <-done }
}

// TestProofBackupsThatChange upgrades while backups and what is left of some come and go: each
// upgrade has its own, and those that others keep stay.
func TestProofBackupsThatChange(t *testing.T) {
	s := schemaOf(t, shop, 4)
	original := databaseAt(t, newFolder(t), shop, 1)
	rounds := 10
	if *long {
		rounds = 500
	}
	for round := range rounds {
		err := amidBackups(t, original, func(path string) error {
			return migrate(t, path, s, []string{unsynced}, lockstep.WithBackup(2))
		})
		if err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
	for claim, do := range map[string]func(path string) error{
		"MakesNone": func(path string) error { return migrate(t, path, s, []string{unsynced}) },
		"RemovesAll": func(path string) error {
			all, _ := filepath.Glob(path + ".v*")
			for _, name := range all {
				os.Remove(name)
			}
			return migrate(t, path, s, []string{unsynced}, lockstep.WithBackup(2))
		},
	} {
		if err := amidBackups(t, original, do); err == nil {
			t.Errorf("noticed nothing of what %s", claim)
		}
	}
}

// amidBackups upgrades a copy of a database while others make and remove backups of it, and
// returns what is wrong afterwards.
func amidBackups(t testing.TB, original string, upgrade func(path string) error) error {
	t.Helper()
	path := copied(t, filepath.Dir(original))
	defer os.RemoveAll(filepath.Dir(path))
	name := func(year int, auto bool) string {
		return backupfile.Name{Version: 1, Auto: auto, Time: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}.Path(path)
	}
	kept := name(2001, false)
	os.WriteFile(kept, []byte("kept"), 0o600)
	stop := meanwhile(func(i int) {
		part := path + ".1.backup-part"
		for year := range 3 {
			os.WriteFile(name(2002+year, i%2 == 0), []byte("other"), 0o600)
		}
		os.Mkdir(part, 0o700)
		os.WriteFile(filepath.Join(part, "copy.db"), nil, 0o600)
		for year := range 3 {
			os.Remove(name(2002+year, i%2 == 0))
		}
		os.RemoveAll(part)
	})
	err := upgrade(path)
	backups, e := lockstep.Backups(path)
	stop()
	if err = errors.Join(err, e); err != nil {
		return err
	}
	old := must(t)(holds(original))
	own := slices.DeleteFunc(backups, func(b lockstep.Backup) bool { got, err := holds(b.Path); return err != nil || got != old })
	if text, _ := os.ReadFile(kept); len(own) != 1 || string(text) != "kept" {
		return fmt.Errorf("backups %v, and %q: %s", own, text, beside(path))
	}
	return nil
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
