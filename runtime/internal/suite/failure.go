package suite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// shop has five migrations after the first. The fourth of these fails halfway if a price is
// no number.
const shop = `
-- 0001-goods.sql --
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT);
-- 0002-stock.sql --
CREATE TABLE stock (good INTEGER PRIMARY KEY REFERENCES goods ON DELETE CASCADE, n INTEGER NOT NULL);
INSERT INTO stock SELECT id, 1 FROM goods;
-- 0003-tidy.sql --
UPDATE goods SET name = trim(name);
-- 0004-index.sql --
CREATE INDEX goods_by_name ON goods (name);
-- 0005-prices.sql --
PRAGMA legacy_alter_table = ON;
CREATE TABLE goods_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL CHECK (typeof(price) = 'integer'));
INSERT INTO goods_new
	SELECT id, name, price FROM goods;
DROP TABLE goods;
ALTER TABLE goods_new RENAME TO goods;
-- 0006-view.sql --
CREATE VIEW dear AS SELECT * FROM goods WHERE price > 100;
`

// stocked makes the file a shop at version 1 with a price that is no number.
func (t *test) stocked() {
	t.Helper()
	t.migrate(upTo(1, shop))
	t.exec("INSERT INTO goods VALUES (1, ' tea ', '5'), (2, ' jam ', 'three')")
}

// fails fails the test unless an upgrade of the file fails with this text, and file and
// connections are as before.
func (t *test) fails(s *lockstep.Schema, want string, opts ...lockstep.Option) error {
	t.Helper()
	before := t.state()
	var err error
	for _, settings := range []Settings{{}, {ForeignKeys: true}} {
		db := t.pool(settings)
		was := t.settings(db)
		err = lockstep.Migrate(t.Context(), db, s, opts...)
		t.says(err, want)
		t.same("settings", t.settings(db), was)
		t.same("state", t.state(), before)
		db.Close()
	}
	return err
}

// forever runs until it is interrupted if there are goods.
const forever = "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT id FROM goods UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n WHERE i < 0;"

// interfered upgrades the shop once for each statement of the upgrade, and lets something go
// wrong before that statement. It fails the test unless the file is old after an error, and
// new without one.
func (t *test) interfered(prepare func(k int) (ctx context.Context, before func(n int) error), wrong func(err error) bool) {
	t.Helper()
	t.stocked()
	t.exec("UPDATE goods SET price = 3")
	s := t.schema(shop)
	old, before := t.bytes(), t.state()
	failed := 0
	for k := 1; ; k++ {
		t.restore(old)
		db, tr := t.trace(Settings{ForeignKeys: true})
		db.SetMaxOpenConns(poolSize)
		db.SetMaxIdleConns(poolSize)
		settings := t.settings(db)
		ctx, f := prepare(k)
		reached := false
		tr.interfere(func(n int) error { reached = reached || n == k; return f(n) })
		err := lockstep.Migrate(ctx, db, s)
		tr.interfere(nil)
		t.same("settings", t.settings(db), settings)
		db.Close()
		if err == nil {
			t.atHead(s)
		} else {
			failed++
			if wrong(err) {
				t.Errorf("at statement %d: got error %v", k, err)
			}
			t.same("state", t.state(), before)
		}
		if !reached {
			break
		}
	}
	if failed < 20 {
		t.Errorf("failed %d times", failed)
	}
}

func failsInStatements(t *test) {
	t.claim("FailureInTheMiddleOfTheFourthOfFiveChangesNothing", func(t *test) {
		t.stocked()
		err := t.fails(t.schema(shop), "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0001")
		var e *lockstep.MigrationError
		if !errors.As(err, &e) || e.File != "0005-prices.sql" || e.Line != 3 || e.Version != 1 || !e.RolledBack {
			t.Errorf("got %+v", e)
		}

		corrected := with(shop, "0005-prices.sql", `
CREATE TABLE goods_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL CHECK (typeof(price) = 'integer'));
INSERT INTO goods_new SELECT id, name, CAST(price AS INTEGER) FROM goods;
DROP TABLE goods;
ALTER TABLE goods_new RENAME TO goods;
CREATE INDEX goods_by_name ON goods (name);
`)
		t.migrate(corrected)
		t.atHead(t.schema(corrected))
		t.same("goods", t.query("SELECT * FROM goods"), "1|tea|5\n2|jam|0")
		t.same("stock", t.query("SELECT * FROM stock"), "1|1\n2|1")
	})
	for _, c := range []struct{ name, script, want string }{
		{"UniqueConstraint", "CREATE UNIQUE INDEX one ON goods (name LIKE '%');", "UNIQUE constraint failed: index 'one': rowid 1 and 2 of goods"},
		{"InsertOrRollback", "CREATE TABLE one (n INTEGER PRIMARY KEY);\nINSERT OR ROLLBACK INTO one SELECT 1 FROM goods;", "UNIQUE constraint failed: one.n"},
		{"InsertOrRollbackReturning", "CREATE TABLE one (n INTEGER PRIMARY KEY);\nINSERT OR ROLLBACK INTO one SELECT 1 FROM goods RETURNING n;", "UNIQUE constraint failed: one.n"},
		{"RaiseRollback", "CREATE TRIGGER t BEFORE UPDATE ON goods BEGIN SELECT RAISE(ROLLBACK, 'hands off'); END;\nUPDATE goods SET name = '';", "hands off"},
		{"RaiseAbort", "CREATE TRIGGER t BEFORE UPDATE ON goods BEGIN SELECT RAISE(ABORT, 'hands off'); END;\nUPDATE goods SET name = '';", "hands off"},
		{"SecondRow", "SELECT 1;\nSELECT json(CASE name WHEN ' tea ' THEN '1' ELSE name END) FROM goods;", "malformed JSON"},
		{"SecondRowReturning", "SELECT 1;\nUPDATE goods SET name = 1 RETURNING json(CASE id WHEN 1 THEN '1' ELSE 'x' END);", "malformed JSON"},
	} {
		t.claim(c.name+"ChangesNothing", func(t *test) {
			t.stocked()
			line := "2"
			if c.name == "UniqueConstraint" {
				line = "1"
			}
			t.fails(t.schema(upTo(1, shop)+"-- 0002-fails.sql --\n"+c.script+"\n-- 0003-never.sql --\nDROP TABLE goods;\n"),
				"data.db: 0002-fails.sql:"+line+": "+c.want+"; rolled back, still at 0001")
		})
	}
}

func failsOnDisk(t *test) {
	t.claim("UnexpectedColumnChangesNothing", func(t *test) {
		t.stocked()
		t.exec("ALTER TABLE goods RENAME COLUMN name TO title")
		t.fails(t.schema(shop), "data.db: 0003-tidy.sql:1: no such column: name; rolled back, still at 0001; tables were changed since 0001: table goods: column name: missing; column title: not expected")
	})
	// Without a journal SQLite cannot roll back. With one in memory, it cannot if the
	// process is killed.
	for _, journal := range []string{"off", "memory"} {
		t.claim("FailureInJournalMode"+strings.ToUpper(journal[:1])+journal[1:]+"ChangesNothing", func(t *test) {
			t.stocked()
			// This is more than fits into the cache, so SQLite writes to the file early.
			s := t.schema(with(shop, "0004-index.sql", `CREATE INDEX goods_by_name ON goods (name);
CREATE TABLE much AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i, zeroblob(3000) AS b FROM n;
UPDATE goods SET name = 'nothing';`))
			db := t.open(Settings{Journal: journal, ForeignKeys: true})
			db.SetMaxOpenConns(1)
			before := t.state()
			beside := ""
			err := lockstep.Migrate(t.Context(), db, s, lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Version == 5 && p.Statement == 3 && !p.Done {
					beside = t.beside()
				}
			}))
			t.says(err, "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0001")
			t.same("state", t.state(), before)
			t.same("integrity", t.query("PRAGMA integrity_check"), "ok")
			t.same("files during the upgrade", beside, "data.db-journal")
			t.same("journal_mode", t.rows(db, "PRAGMA journal_mode")[0], journal)

			t.exec("UPDATE goods SET price = '3'")
			if err := lockstep.Migrate(t.Context(), db, s); err != nil {
				t.Error(err)
			}
			t.same("journal_mode", t.rows(db, "PRAGMA journal_mode")[0], journal)
			t.atHead(s)
		})
	}
	t.claim("FullDiskChangesNothing", func(t *test) {
		s := t.schema(notes + "-- 0007-much.sql --\nCREATE TABLE much AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i, zeroblob(3000) AS b FROM n;\n")
		t.migrate(upTo(1, notes))
		old, before := t.bytes(), t.state()
		full := 0
		for pages := 4; pages < 500; pages++ {
			t.restore(old)
			db := t.open(Settings{ForeignKeys: true})
			db.SetMaxOpenConns(1)
			t.execOn(db, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			err := lockstep.Migrate(t.Context(), db, s)
			t.same("foreign_keys", t.rows(db, "PRAGMA foreign_keys")[0], "1")
			t.execOn(db, "BEGIN", "ROLLBACK")
			db.Close()
			if err == nil {
				break
			}
			full++
			var e *lockstep.MigrationError
			if !errors.As(err, &e) || !e.RolledBack {
				t.Fatalf("got %v", err)
			}
			e.File, e.Line = "", 0
			t.says(e, "data.db: database or disk is full; rolled back, still at 0001")
			t.same("state", t.state(), before)
		}
		if full < 10 {
			t.Errorf("the disk was full %d times", full)
		}
		t.atHead(s)
	})
}

func interrupted(t *test) {
	t.claim("ContextThatEndsInterruptsAStatement", func(t *test) {
		t.stocked()
		s := t.schema(upTo(2, shop) + "-- 0003-forever.sql --\nSELECT 1;\n" + forever + "\n-- 0004-never.sql --\nDROP TABLE t;\n")
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		err := lockstep.Migrate(ctx, db, s)
		t.says(err, "data.db: 0003-forever.sql:2: interrupted: context canceled; rolled back, still at 0001")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		t.same("settings", t.settings(db), settings)
		t.same("state", t.state(), before)
	})
	t.claim("ContextThatEndsAtAnyStatementLeavesOldOrNew", func(t *test) {
		t.interfered(func(k int) (context.Context, func(int) error) {
			ctx, cancel := context.WithCancel(t.Context())
			return ctx, func(n int) error {
				if n == k {
					cancel()
				}
				return nil
			}
		}, func(err error) bool { return !errors.Is(err, context.Canceled) })
	})
}

func failsAnywhere(t *test) {
	for _, c := range []struct {
		name    string
		persist bool
	}{
		{"FailureOfAnyStatementLeavesOldOrNew", false},
		{"FailureOfAllStatementsFromAnyOnLeavesOldOrNew", true}, // of ROLLBACK, too
	} {
		t.claim(c.name, func(t *test) {
			unplugged := errors.New("unplugged")
			t.interfered(func(k int) (context.Context, func(int) error) {
				return t.Context(), func(n int) error {
					if n == k || c.persist && n > k {
						return unplugged
					}
					return nil
				}
			}, func(err error) bool {
				// A connection on which ROLLBACK failed is not used again.
				return !errors.Is(err, unplugged) && !errors.Is(err, sql.ErrConnDone)
			})
		})
	}
	t.claim("LostTransactionIsNoticedBeforeAnythingIsRecorded", func(t *test) {
		t.stocked()
		before := t.state()
		db, tr := t.trace(Settings{ForeignKeys: true})
		tr.swallow = "OR ROLLBACK" // which ends the transaction, and nobody is told
		err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2, shop)+"-- 0003-again.sql --\nINSERT OR ROLLBACK INTO goods SELECT 1, 'again', '1' WHERE EXISTS (SELECT * FROM goods);\n"))
		t.says(err, "data.db: a statement ended the upgrade's transaction; rolled back, still at 0001")
		t.same("state", t.state(), before)
	})
	t.claim("PanicChangesNothing", func(t *test) {
		t.stocked()
		before := t.state()
		for at := 1; at < 12; at++ {
			db := t.pool(Settings{ForeignKeys: true})
			settings := t.settings(db)
			calls := 0
			func() {
				defer func() {
					if r := recover(); r != "stop" {
						t.Errorf("recovered %v, want the panic of the callback", r)
					}
				}()
				err := lockstep.Migrate(t.Context(), db, t.schema(shop), lockstep.WithProgress(func(lockstep.Progress) {
					if calls++; calls == at {
						panic("stop")
					}
				}))
				t.Errorf("got %v, want a panic", err)
			}()
			t.same("settings", t.settings(db), settings)
			db.Close()
			t.same("state", t.state(), before)
		}
	})
}

func commits(t *test) {
	// With a rollback journal, a reader keeps writers from committing only.
	t.claim("CommitWaitsForReaders", func(t *test) {
		t.migrate(upTo(1, notes))
		for _, timeout := range []time.Duration{0, 10 * time.Millisecond} {
			release := t.read()
			released := make(chan struct{})
			db := t.pool(Settings{ForeignKeys: true, BusyTimeout: timeout})
			settings := t.settings(db)
			time.AfterFunc(150*time.Millisecond, func() { release(); close(released) })
			begun := time.Now()
			if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
				t.Error(err)
			}
			if time.Since(begun) < 100*time.Millisecond && timeout == 0 {
				t.Error("did not wait")
			}
			<-released
			t.same("settings", t.settings(db), settings)
		}
		t.atHead(t.schema(notes))
	})
	t.claim("CommitDoesNotObeyTheContext", func(t *test) {
		t.migrate(upTo(1, notes))
		release := t.read()
		released := make(chan struct{})
		time.AfterFunc(200*time.Millisecond, func() { release(); close(released) })
		ctx, cancel := context.WithCancel(t.Context())
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(ctx, db, t.schema(upTo(2, notes)), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Done && p.Statement == 0 { // the last, and nothing is left but lockstep's own part
				time.AfterFunc(100*time.Millisecond, cancel)
			}
		}))
		if err != nil || ctx.Err() == nil {
			t.Errorf("got %v with the context's %v, want the upgrade in spite of it", err, ctx.Err())
		}
		<-released
		t.same("settings", t.settings(db), settings)
		t.atHead(t.schema(upTo(2, notes)))
	})
	t.claim("CommitThatStaysBusyChangesNothing", func(t *test) {
		t.migrate(upTo(1, notes))
		before := t.state()
		release := t.read()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(notes), lockstep.WithTimeout(100*time.Millisecond))
		t.isRefusal(err, lockstep.ErrBusy, "data.db: locked by another connection for …; look for another program that has the file open (an older release, a shell, a backup), or for a transaction that this one left open; rolled back, still at 0001: database is locked")
		release()
		t.same("settings", t.settings(db), settings)
		t.same("state", t.state(), before)
		t.migrate(notes)
		t.atHead(t.schema(notes))
	})
}

// read begins to read the file and returns the function that ends it.
func (t *test) read() (release func()) {
	t.Helper()
	db := t.open(Settings{})
	var rows *sql.Rows
	rows, err := db.QueryContext(context.Background(), "SELECT name FROM sqlite_master UNION ALL SELECT name FROM sqlite_master")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	return func() {
		rows.Close()
		db.Close()
	}
}
