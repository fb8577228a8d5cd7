package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// beside returns the names of the files beside the database, with "TIME" for times.
func (t *test) beside() string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(t.path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "data.db" {
			names = append(names, times.ReplaceAllString(e.Name(), "TIME"))
		}
	}
	return strings.Join(names, "\n")
}

var times = regexp.MustCompile(`\b\d{8}T\d{6}Z\b`)

// at returns the test of another file in the same folder.
func (t *test) at(path string) *test { return &test{t.T, t.driver, path} }

// backup returns the path of the only backup.
func (t *test) backup() string {
	t.Helper()
	backups, err := lockstep.Backups(t.path)
	if err != nil || len(backups) != 1 {
		t.Fatalf("got backups %v, %v; want one", backups, err)
	}
	return backups[0].Path
}

// lay puts an empty file with such a suffix beside the database.
func (t *test) lay(suffix string) {
	t.Helper()
	if err := os.WriteFile(t.path+suffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func backsUp(t *test) {
	t.claim("IsWhatTheUpgradeBeginsWith", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(2, notes))
			t.exec("PRAGMA journal_mode = "+journal, "INSERT INTO notes (title) VALUES ('mine; it''s')")
			old := t.state()
			db := t.pool(Settings{ForeignKeys: true})
			settings := t.settings(db)
			if err := lockstep.Migrate(t.Context(), db, t.schema(notes), lockstep.WithBackup(0)); err != nil {
				t.Fatal(err)
			}
			t.same("settings", t.settings(db), settings)
			db.Close()
			t.same("files", strings.TrimPrefix(t.beside(), "data.db-shm\ndata.db-wal\n"), "data.db.v0002.TIME.backup") // which some readers leave
			t.atHead(t.schema(notes))
			b := t.at(t.backup())
			t.same("the backup", b.state(), old)
			t.same("its check", b.query("PRAGMA integrity_check"), "ok")
			b.migrate(notes)
			b.atHead(t.schema(notes))
		}
	})
}

func backsUpFewer(t *test) {
	t.claim("IsNotMadeOfNewDatabase", func(t *test) {
		t.migrate(notes, lockstep.WithBackup(0))
		t.same("files", t.beside(), "")
		managed := newTest(t.T, t.driver)
		db := managed.open(Settings{})
		if err := lockstep.Migrate(t.Context(), db, &lockstep.Schema{}); err != nil {
			t.Fatal(err)
		}
		db.Close()
		managed.migrate(notes, lockstep.WithBackup(0))
		t.same("files", managed.beside(), "")
	})
	t.claim("IsMadeOfVersionZeroWithSomethingInIt", func(t *test) {
		db := t.open(Settings{})
		if err := lockstep.Migrate(t.Context(), db, &lockstep.Schema{}); err != nil {
			t.Fatal(err)
		}
		db.Close()
		t.exec("CREATE TABLE mine (x)")
		t.migrate(notes, lockstep.WithBackup(0))
		t.same("files", t.beside(), "data.db.v0000.TIME.backup")
	})
	t.claim("IsNotMadeAtHead", func(t *test) {
		t.migrate(notes)
		t.migrate(notes, lockstep.WithBackup(0))
		t.same("files", t.beside(), "")
	})
	t.claim("IsNotMadeOfRefusedDatabase", func(t *test) {
		t.migrate(notes)
		opt := lockstep.WithBackup(0)
		t.refuses(t.schema(upTo(2, notes)), lockstep.ErrAhead, "data.db: at version 0006, this program expects 0002: written by a newer program, not opened", opt)
		t.same("files", t.beside(), "")
		wild := newTest(t.T, t.driver)
		wild.exec("CREATE TABLE mine (x)")
		wild.refuses(t.schema(notes), lockstep.ErrUnmanaged, "data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db", opt)
		t.same("files", wild.beside(), "")
	})
	t.claim("HasThePermissionsOfTheDatabase", func(t *test) {
		for _, mode := range []os.FileMode{0o600, 0o640, 0o666} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, notes))
			if err := os.Chmod(t.path, mode); err != nil {
				t.Fatal(err)
			}
			want, err := os.Stat(t.path)
			if err != nil {
				t.Fatal(err)
			}
			t.migrate(notes, lockstep.WithBackup(0))
			got, err := os.Stat(t.backup())
			if err != nil {
				t.Fatal(err)
			}
			t.same("mode", got.Mode().String(), want.Mode().String())
		}
	})
}

func namesBackups(t *test) {
	t.claim("IsNamedWhenTheUpgradeFails", func(t *test) {
		t.stocked()
		db := t.open(Settings{})
		err := lockstep.Migrate(t.Context(), db, t.schema(shop), lockstep.WithBackup(0))
		t.says(err, "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0001; the backup is data.db"+strings.TrimPrefix(t.backup(), t.path))
		var e *lockstep.MigrationError
		if !errors.As(err, &e) || e.Backup != t.backup() {
			t.Errorf("got %+v", e)
		}
	})
	t.claim("IsNamedWhenTheResultIsRefused", func(t *test) {
		t.born(family)
		db := t.open(Settings{})
		err := lockstep.Migrate(t.Context(), db, t.schema(family+"-- 0002-orphan.sql --\nINSERT INTO child SELECT 90, 9 FROM inbox WHERE id = 70;\n"), lockstep.WithBackup(0))
		e := t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0002 leaves rows without a parent: table child, parent parent: rowid 90; rolled back, still at 0001; the backup is data.db"+strings.TrimPrefix(t.backup(), t.path))
		t.same("backup", e.Backup, t.backup())
	})
	t.claim("IsOneForAllTransactionsOfAnUpgrade", func(t *test) {
		for _, opts := range [][]lockstep.Option{{}, {lockstep.WithPerMigration()}} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, wal))
			t.exec("INSERT INTO goods VALUES (1, 'tea', 'dear')")
			old := t.state()
			db := t.pool(Settings{ForeignKeys: true})
			err := lockstep.Migrate(t.Context(), db, t.schema(wal), append(opts, lockstep.WithBackup(2))...)
			t.says(err, "data.db: 0004-fill.sql:1: malformed JSON; rolled back, still at 0003; the backup is data.db"+strings.TrimPrefix(t.backup(), t.path))
			t.same("the backup", t.at(t.backup()).state(), old)
		}
	})
}

func keepsBackups(t *test) {
	t.claim("IsMadeOnceByAStartThatFailsAgainAndAgain", func(t *test) {
		t.stocked()
		for range 3 {
			db := t.open(Settings{})
			err := lockstep.Migrate(t.Context(), db, t.schema(shop), lockstep.WithBackup(1))
			t.says(err, "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0001; the backup is data.db"+strings.TrimPrefix(t.backup(), t.path))
			db.Close()
		}
		// A changed database has another backup. All remain until an upgrade succeeds.
		t.exec("UPDATE goods SET name = 'coffee' WHERE id = 1")
		db := t.open(Settings{})
		if err := lockstep.Migrate(t.Context(), db, t.schema(shop), lockstep.WithBackup(1)); err == nil {
			t.Fatal("the upgrade succeeded")
		}
		db.Close()
		t.same("files", t.beside(), "data.db.v0001.TIME.auto.backup\ndata.db.v0001.TIME.auto.backup")
		t.exec("UPDATE goods SET price = 3")
		t.migrate(shop, lockstep.WithBackup(1))
		t.same("price in the backup", t.at(t.backup()).query("SELECT price FROM goods"), "3\n3")
	})
	t.claim("RemovesOnlyItsOwnOldOnes", func(t *test) {
		foreign := []string{
			".v0001.20200101T000000Z.backup",              // made by the command
			".20200101T000000Z.backup",                    // of a database without a version
			".v0001.20200101T000000Z.auto.backup.gz",      // has been packed
			".v001.20200101T000000Z.auto.backup",          // is nobody's
			".v0001.20200101T000000.auto.backup",          //
			".v0001.20201301T000000Z.auto.backup",         //
			"x.v0001.20200101T000000Z.auto.backup",        // belongs to another database
			".v0001.20200101T000000Z.auto.backup-part",    //
			".old.v0001.20200101T000000Z.auto.backup",     // to another, data.db.old
			".v0001.x.v0001.20200101T000000Z.auto.backup", //
		}
		for _, name := range foreign {
			t.lay(name)
		}
		if err := os.Mkdir(t.path+".v0001.20190101T000000Z.auto.backup", 0o700); err != nil {
			t.Fatal(err)
		}
		want := strings.Split(t.beside(), "\n")
		t.lay(".v0009.20200101T000000Z.auto.backup")
		t.lay(".v0001.20200102T000000Z.auto.backup")
		for n := 1; n <= 4; n++ {
			t.migrate(upTo(n, notes), lockstep.WithBackup(2))
		}
		want = append(want, "data.db.v0002.TIME.auto.backup", "data.db.v0003.TIME.auto.backup")
		slices.Sort(want)
		got := strings.Split(t.beside(), "\n")
		slices.Sort(got)
		t.same("files", strings.Join(got, "\n"), strings.Join(want, "\n"))
	})
	t.claim("OverwritesNoOther", func(t *test) {
		t.migrate(upTo(1, notes))
		old := t.bytes()
		for i := range 3 {
			t.restore(old)
			t.exec(fmt.Sprintf("UPDATE notes SET title = %d", i))
			t.migrate(upTo(2, notes), lockstep.WithBackup(0))
		}
		backups, err := lockstep.Backups(t.path)
		if err != nil || len(backups) != 3 {
			t.Fatalf("got %v, %v; want three backups", backups, err)
		}
		for i, b := range backups {
			t.same("title", t.at(b.Path).query("SELECT DISTINCT title FROM notes"), fmt.Sprint(i))
		}
	})
}

func interruptsBackups(t *test) {
	t.claim("ContextThatEndsInterruptsIt", func(t *test) {
		t.migrate(upTo(1, notes))
		t.exec("CREATE TABLE much AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, hex(i) AS h FROM n")
		old := t.bytes()
		db := t.pool(Settings{})
		settings := t.settings(db)
		ctx, cancel := context.WithCancel(t.Context())
		err := lockstep.Migrate(ctx, db, t.schema(notes), lockstep.WithBackup(0), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Backup != "" {
				cancel()
			}
		}))
		t.isRefusal(err, lockstep.ErrBackup, "data.db: backup failed, still at 0001: context canceled")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		t.same("settings", t.settings(db), settings)
		db.Close()
		t.untouched(old)
		t.same("files", t.beside(), "")
	})
}

func backsUpAgain(t *test) {
	t.claim("IsMadeAgainIfSomebodyWritesBeforeTheUpgradeBeginsAgain", func(t *test) {
		// After a migration without a transaction, it does if another process has run that too.
		alone := family + "-- 0002-alone.sql --\n-- lockstep: no-transaction\nCREATE TABLE IF NOT EXISTS more (x);\n"
		t.born(family)
		db, tr := t.trace(Settings{})
		var old string
		begun := 0
		tr.interfere(func(n int) error {
			tr.mu.Lock()
			q := tr.statements[n-1]
			tr.mu.Unlock()
			if q == "BEGIN IMMEDIATE" {
				if begun++; begun == 2 {
					t.migrate(alone)
					t.exec("INSERT INTO parent VALUES (3, 'three')")
					old = t.state()
				}
			}
			return nil
		})
		if err := lockstep.Migrate(t.Context(), db, t.schema(alone+"-- 0003-less.sql --\nDROP TABLE more;\n"), lockstep.WithBackup(0)); err != nil {
			t.Fatal(err)
		}
		tr.interfere(nil)
		if begun != 3 {
			t.Fatalf("the upgrade began %d times; want 3", begun)
		}
		t.same("the backup", t.at(t.backup()).state(), old)
	})
	t.claim("IsReported", func(t *test) {
		t.migrate(upTo(1, notes))
		db := t.open(Settings{})
		var reported []lockstep.Progress
		err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2, notes)), lockstep.WithBackup(0), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Backup != "" {
				p.Took, p.Elapsed = 0, 0
				reported = append(reported, p)
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		path := t.backup()
		want := []lockstep.Progress{{Doing: "copying", Backup: path}, {Doing: "checking", Backup: path}, {Doing: "copying", Backup: path, Done: true}}
		if !slices.Equal(reported, want) {
			t.Errorf("got %+v, want %+v", reported, want)
		}
	})
}

func backsUpOnAnyConnection(t *test) {
	t.claim("NeedsNoSecondConnectionOfThePool", func(t *test) {
		for _, limit := range []int{1, 2} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, notes))
			old := t.state()
			db := t.open(Settings{})
			db.SetMaxOpenConns(limit)
			db.SetMaxIdleConns(limit)
			for range limit - 1 { // what others use
				conn, err := db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			if err := lockstep.Migrate(t.Context(), db, t.schema(notes), lockstep.WithBackup(0)); err != nil {
				t.Fatal(err)
			}
			if s := db.Stats(); s.MaxOpenConnections != limit || s.OpenConnections > limit {
				t.Errorf("the pool has %d connections open and a limit of %d; want %d", s.OpenConnections, s.MaxOpenConnections, limit)
			}
			t.same("the backup", t.at(t.backup()).state(), old)
		}
	})
	t.claim("IsMadeOnAConnectionThatLetsNoOtherIn", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, notes))
			old := t.state()
			db := t.open(Settings{Journal: journal})
			db.SetMaxOpenConns(1)
			t.execOn(db, "PRAGMA locking_mode = exclusive", "UPDATE notes SET title = title")
			if err := lockstep.Migrate(t.Context(), db, t.schema(notes), lockstep.WithBackup(0)); err != nil {
				t.Fatal(err)
			}
			db.Close()
			t.atHead(t.schema(notes))
			t.same("the backup", t.at(t.backup()).state(), old)
		}
	})
	t.claim("IsLeftOutForMemory", func(t *test) {
		for _, dsn := range []string{":memory:", t.driver.Shared("backup")} {
			db := t.openDSN(dsn)
			if dsn == ":memory:" {
				db.SetMaxOpenConns(1)
			}
			for n := 1; n <= 2; n++ {
				if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(n, notes)), lockstep.WithBackup(1)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func backsUpOnce(t *test) {
	t.claim("IsMadeOnceByManyThatStartAtOnce", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(2, notes))
			t.exec("PRAGMA journal_mode = " + journal)
			old := t.state()
			s := t.schema(notes)
			var all sync.WaitGroup
			for range 6 {
				db := t.open(Settings{})
				all.Go(func() {
					if err := lockstep.Migrate(t.Context(), db, s, lockstep.WithBackup(3), lockstep.WithTimeout(30*time.Second)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			t.same("the backup", t.at(t.backup()).state(), old)
		}
	})
	t.claim("IsTheWayBackFromDivergence", func(t *test) {
		t.migrate(upTo(2, notes))
		t.migrate(upTo(3, notes), lockstep.WithBackup(0))
		edited := t.schema(with(upTo(4, notes), "0003-index-tags.sql", "CREATE INDEX tags_by_tag ON tags (tag, note);\n"))
		const refusal = "data.db: at version 0003, but by other migrations: 0003-index-tags.sql was applied with different contents; to start anyway, allow d1:…"
		way := t.backup()
		e := t.refuses(edited, lockstep.ErrDiverged, refusal+"\n\tlockstep restore --db data.db data.db"+strings.TrimPrefix(way, t.path))
		t.same("backup", e.Backup, way)

		// The newest one of the highest version before the first difference.
		t.lay(".v0002.20990101T000000Z.backup")
		t.lay(".v0001.21000101T000000Z.backup")
		t.lay(".v0003.21000101T000000Z.backup")
		t.lay(".21000101T000000Z.backup")
		t.refuses(edited, lockstep.ErrDiverged, refusal+"\n\tlockstep restore --db data.db data.db.v0002.20990101T000000Z.backup")
		earlier := t.schema(with(upTo(3, notes), "0001-notes.sql", "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\nINSERT INTO notes (title) VALUES ('1st'), ('2nd');\n"))
		t.refuses(earlier, lockstep.ErrDiverged, "data.db: at version 0003, but by other migrations: 0001-notes.sql was applied with different contents; to start anyway, allow d1:…")
	})
}
