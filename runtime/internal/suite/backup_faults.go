package suite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// changeSchema writes the SQL of an object, without a look at the rows that there are.
func (t *test) changeSchema(name, sql string) {
	t.Helper()
	t.exec("PRAGMA writable_schema = ON", fmt.Sprintf("UPDATE sqlite_master SET sql = '%s' WHERE name = '%s'", sql, name))
}

func backsUpFaults(t *test) {
	for _, c := range []struct {
		claim, fault string
		damage       func(t *test)
	}{
		{"CHECKs", "CHECK constraint failed in old (2 times)", func(t *test) {
			t.exec("CREATE TABLE old (x CHECK (x > 0))", "PRAGMA ignore_check_constraints = ON", "INSERT INTO old VALUES (-1), (-2)")
		}},
		{"CHECKsThatFail", "table old: malformed JSON", func(t *test) {
			t.exec("CREATE TABLE old (x CHECK (json_extract(x, '$.a') > 0))", "PRAGMA ignore_check_constraints = ON", "INSERT INTO old VALUES ('{')")
		}},
		{"NOTNULL", "NULL value in old.x", func(t *test) {
			t.exec("CREATE TABLE old (x)", "INSERT INTO old VALUES (NULL)")
			t.changeSchema("old", "CREATE TABLE old (x NOT NULL)")
		}},
		{"STRICT", "non-INT value in old.x", func(t *test) {
			t.exec("CREATE TABLE old (x)", "INSERT INTO old VALUES ('one')")
			t.changeSchema("old", "CREATE TABLE old (x INT) STRICT")
		}},
		{"UNIQUE", "", func(t *test) {
			t.exec("CREATE TABLE old (x)", "CREATE INDEX i ON old (x)", "INSERT INTO old VALUES (1), (1)")
			t.changeSchema("i", "CREATE UNIQUE INDEX i ON old (x)")
		}},
		{"AnIndexThatLacksARow", "", func(t *test) {
			t.exec("CREATE TABLE old (x)", "CREATE INDEX i ON old (x) WHERE x > 1", "INSERT INTO old VALUES (1), (2)")
			t.changeSchema("i", "CREATE INDEX i ON old (x) WHERE x > 0")
		}},
		{"AVirtualTable", "In RTree main.old: Mapping (1 -> 1) missing from %_rowid table Wrong number of entries in %_rowid table - expected 1, actual 0", func(t *test) {
			if t.query("SELECT count(*) FROM pragma_module_list WHERE name = 'rtree'") == "0" {
				t.Skip("this driver has no R-Tree")
			}
			t.exec("CREATE VIRTUAL TABLE old USING rtree (id, a, b)", "INSERT INTO old VALUES (1, 2, 3)", "DELETE FROM old_rowid")
		}},
	} {
		t.claim("IsMadeOfRowsThatViolate"+c.claim, func(t *test) {
			t.migrate(upTo(1, notes))
			c.damage(t)
			old := t.state()
			var log bytes.Buffer
			t.migrate(upTo(2, notes), lockstep.WithBackup(0), t.logger(&log))
			warning := ""
			for line := range strings.Lines(log.String()) {
				if strings.HasPrefix(line, "level=WARN") {
					warning = line
				}
			}
			want := ""
			if c.fault != "" { // that quick_check finds
				want = fmt.Sprintf("level=WARN msg=%q database=data.db faults=%q\n", "the database has faults, and so has its backup", c.fault)
			}
			t.same("warning", warning, want)
			t.same("the backup", t.at(t.backup()).state(), old)
		})
	}
	t.claim("IsMadeForAMigrationThatMendsTheRows", func(t *test) {
		const old = "-- 0001-old.sql --\nCREATE TABLE old (x CHECK (x > 0));\n"
		t.migrate(old)
		t.exec("PRAGMA ignore_check_constraints = ON", "INSERT INTO old VALUES (-1)")
		t.migrate(old+"-- 0002-mend.sql --\nUPDATE old SET x = -x;\n", lockstep.WithBackup(0))
		t.same("mended", t.query("SELECT x FROM old"), "1")
		t.same("the backup", t.at(t.backup()).query("SELECT x FROM old"), "-1")
	})
	t.claim("IsNotMadeOfDamagedPages", func(t *test) {
		t.migrate(upTo(1, notes))
		t.exec("CREATE TABLE old (x)", "CREATE INDEX i ON old (x)", "INSERT INTO old VALUES (1)", "PRAGMA writable_schema = ON",
			"UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'old') WHERE name = 'i'")
		old := t.bytes()
		db := t.open(Settings{})
		err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2, notes)), lockstep.WithBackup(0))
		t.isRefusal(err, lockstep.ErrBackup, "data.db: backup failed, still at 0001: database disk image is malformed")
		db.Close()
		t.untouched(old)
		t.same("files", t.beside(), "")
	})
}

// locks returns the locks that SQLite has on the file, where the system can tell.
func (t *test) locks() string {
	t.Helper()
	info, err := os.Stat(t.path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Skip(err)
	}
	inode := fmt.Sprintf(":%d ", reflect.ValueOf(info.Sys()).Elem().FieldByName("Ino").Uint())
	var locks []string
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, inode) {
			_, lock, _ := strings.Cut(line, ": ")
			locks = append(locks, lock)
		}
	}
	slices.Sort(locks) // where others lock meanwhile, the system lists some twice
	return strings.Join(slices.Compact(locks), "")
}

func backsUpBesideOthers(t *test) {
	for _, name := range []string{"ALink", "ASymbolicLink"} {
		t.claim("KeepsTheLockThoughWhatIsNamedAsABackupIs"+name, func(t *test) {
			t.migrate(upTo(1, notes))
			link := t.path + ".v0001.20200101T000000Z.auto.backup"
			err := os.Link(t.path, link)
			if name == "ASymbolicLink" {
				os.Remove(link)
				err = os.Symlink(t.path, link)
			}
			if err != nil {
				t.Skip(err)
			}
			var during []string
			db := t.open(Settings{Journal: "delete"})
			err = lockstep.Migrate(t.Context(), db, t.schema(upTo(2, notes)), lockstep.WithBackup(1), lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Backup != "" {
					during = append(during, t.locks())
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			if during[0] == "" {
				t.Error("there was no lock before the backup")
			}
			t.same("locks after the backup", during[len(during)-1], during[0])
			if _, err := os.Lstat(link); err != nil {
				t.Errorf("the link was removed: %v", err)
			}
			backups, err := lockstep.Backups(t.path)
			if err != nil || len(backups) != 1 || backups[0].Path == link {
				t.Errorf("got %v, %v; want the new one alone", backups, err)
			}
		})
	}
}

func removesParts(t *test) {
	t.claim("RemovesWhatADeadProcessLeft", func(t *test) {
		t.migrate(upTo(1, notes))
		for _, name := range []string{".1.backup-part", ".2.backup-part"} {
			if err := os.Mkdir(t.path+name, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.lay(".1.backup-part/copy.db")
		t.lay(".1.backup-part/copy.db-journal")
		t.migrate(notes, lockstep.WithBackup(0))
		t.same("files", t.beside(), "data.db.v0001.TIME.backup")
	})
	t.claim("LeavesWhatIsNotItsOwn", func(t *test) {
		t.migrate(upTo(1, notes))
		elsewhere := t.TempDir()
		if err := os.WriteFile(filepath.Join(elsewhere, "copy.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, t.path+".1.backup-part"); err != nil {
			t.Skip(err)
		}
		if err := os.Mkdir(t.path+".2.backup-part", 0o700); err != nil {
			t.Fatal(err)
		}
		t.lay(".2.backup-part/photo")
		t.lay(".3.backup-part")
		living, remove, err := diskfile.MakePart(t.path)
		if err != nil {
			t.Fatal(err)
		}
		defer remove()
		if err := os.WriteFile(living, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.migrate(notes, lockstep.WithBackup(0))
		for _, path := range []string{
			filepath.Join(elsewhere, "copy.db"), t.path + ".1.backup-part", t.path + ".2.backup-part/photo",
			t.path + ".3.backup-part", living,
		} {
			if _, err := os.Lstat(path); err != nil {
				t.Error(err)
			}
		}
	})
	t.claim("ThatCannotBeMadeStopsTheUpgrade", func(t *test) {
		// The name of a backup is longer than that of the database.
		t = t.at(filepath.Join(filepath.Dir(t.path), strings.Repeat("x", 240)))
		t.migrate(upTo(1, notes))
		old := t.bytes()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		ran := false
		err := lockstep.Migrate(t.Context(), db, t.schema(notes), lockstep.WithBackup(1), lockstep.WithProgress(func(p lockstep.Progress) {
			ran = ran || p.Version > 0
		}))
		t.isRefusal(err, lockstep.ErrBackup, "data.db: backup failed, still at 0001: "+filepath.Dir(t.path)+": "+syscall.ENAMETOOLONG.Error())
		if ran {
			t.Error("a migration has run")
		}
		t.same("settings", t.settings(db), settings)
		db.Close()
		t.untouched(old)
	})
}
