package suite

import (
	"database/sql"
	"errors"

	"github.com/lockstep-db/lockstep/runtime"
)

// failed fails the test unless Migrate returns a MigrationError of this text and leaves the
// database as it was.
func (t *test) failed(db *sql.DB, s *lockstep.Schema, want string) {
	t.Helper()
	before := t.state()
	err := lockstep.Migrate(t.Context(), db, s)
	if e := (*lockstep.MigrationError)(nil); !errors.As(err, &e) {
		t.Fatalf("got error %v, want %s", err, want)
	}
	t.same("error", t.text(err), want)
	t.same("state", t.state(), before)
}

func noticesTriggers(t *test) {
	for _, c := range []struct{ name, trigger, fact string }{
		{"IgnoresTheVersion", "BEFORE UPDATE ON _meta BEGIN SELECT RAISE(IGNORE); END", "_meta says 0001"},
		{"ChangesTheVersion", "AFTER UPDATE ON _meta WHEN new.version = 4 BEGIN UPDATE _meta SET version = 2; END", "_meta says 0002"},
		{"RemovesTheVersion", "AFTER UPDATE ON _meta BEGIN DELETE FROM _meta; END", "_meta has 0 rows; want 1"},
		{"IgnoresTheHistory", "BEFORE INSERT ON _lockstep_history WHEN new.version = 3 BEGIN SELECT RAISE(IGNORE); END", "_lockstep_history has other rows"},
		{"ForgetsTheHistory", "AFTER INSERT ON _lockstep_history BEGIN DELETE FROM _lockstep_history WHERE version = 1; END", "_lockstep_history has other rows"},
		{"ChangesAChecksum", "AFTER INSERT ON _lockstep_history BEGIN UPDATE _lockstep_history SET checksum = 't1:' WHERE version = 1; END", "_lockstep_history has other rows"},
		{"ChangesTheDigest", "AFTER UPDATE ON _lockstep_history WHEN new.digest IS NOT NULL BEGIN UPDATE _lockstep_history SET digest = NULL WHERE version = 4; END", "the newest row of _lockstep_history has other values"},
	} {
		t.claim("ATriggerThat"+c.name+"IsNoticed", func(t *test) {
			t.migrate(upTo(1, notes))
			t.exec("CREATE TRIGGER meddle " + c.trigger)
			t.failed(t.open(Settings{}), t.schema(upTo(4, notes)), "data.db: version 0004 was recorded, but "+c.fact+" after trigger meddle; rolled back, still at 0001")
		})
	}
	t.claim("ATriggerThatOnlyWatchesIsNoObstacle", func(t *test) {
		t.migrate(upTo(1, notes))
		t.exec("CREATE TABLE audit (version)", "CREATE TRIGGER watch AFTER UPDATE ON _meta BEGIN INSERT INTO audit VALUES (new.version); END")
		t.migrate(notes)
		t.same("audit", t.query("SELECT * FROM audit"), "6")
	})
}

func refusesTemporary(t *test) {
	const (
		first  = "; drop it first; nothing ran, still at 0001"
		hides  = " of this connection hides that of the database" + first
		tables = "data.db: temporary tables of this connection have a table "
	)
	for _, c := range []struct {
		name, archive, want string
		temporary           []string
	}{
		{"ATemporaryTableThatHidesATable", notes, "data.db: temporary table Notes" + hides, []string{"CREATE TEMP TABLE Notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT)"}},
		{"ATemporaryTableThatHidesATableToBeMade", notes, "data.db: temporary table tags" + hides, []string{"CREATE TEMP TABLE tags (note, tag)"}},
		{"ATemporaryTableThatHidesATableInBetween", notes, "data.db: temporary table notes_new" + hides, []string{"CREATE TEMP TABLE notes_new (id, title)"}},
		{"ATemporaryViewThatHidesATable", notes, "data.db: temporary view notes" + hides, []string{"CREATE TEMP VIEW notes AS SELECT 1 AS id, 'x' AS title"}},
		{"ATemporaryTriggerOnATable", notes, "data.db: temporary trigger act of this connection acts on notes" + first, []string{"CREATE TEMP TRIGGER act AFTER INSERT ON notes BEGIN DELETE FROM notes; END"}},
		{"ATemporaryTriggerOnTheVersion", notes, "data.db: temporary trigger act of this connection acts on _meta" + first, []string{"CREATE TEMP TRIGGER act BEFORE UPDATE ON _meta BEGIN SELECT RAISE(IGNORE); END"}},
		{"ATemporarySequence", upTo(1, notes) + "-- 0002-ids.sql --\nCREATE TABLE ids (id INTEGER PRIMARY KEY AUTOINCREMENT);\nINSERT INTO sqlite_sequence VALUES ('ids', 100);\n",
			tables + "sqlite_sequence, which hides that of the database; drop them first; nothing ran, still at 0001",
			[]string{"CREATE TEMP TABLE own (id INTEGER PRIMARY KEY AUTOINCREMENT)"}},
	} {
		t.claim(c.name+"IsRefused", func(t *test) {
			t.migrate(upTo(1, notes))
			db := t.open(Settings{})
			db.SetMaxOpenConns(1)
			t.execOn(db, c.temporary...)
			t.failed(db, t.schema(c.archive), c.want)
		})
	}
}

func acceptsTemporary(t *test) {
	t.claim("WhatElseIsTemporaryIsNoObstacle", func(t *test) {
		t.migrate(upTo(1, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "CREATE TEMP TABLE own (id INTEGER PRIMARY KEY AUTOINCREMENT, title)", "CREATE INDEX temp.by_title ON own (title)",
			"CREATE TEMP TRIGGER act AFTER INSERT ON own BEGIN DELETE FROM own; END", "CREATE TEMP VIEW title AS SELECT 1")
		if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
			t.Fatal(err)
		}
		t.atHead(t.schema(notes))
	})
	t.claim("EnrollRefusesThemToo", func(t *test) {
		for _, c := range []struct{ damage, want string }{
			{"CREATE TEMP TABLE notes (a)", "data.db: not enrolled: temporary table notes of this connection hides that of the database; drop it first"},
			{"CREATE TEMP TRIGGER act AFTER INSERT ON notes BEGIN DELETE FROM notes; END", "data.db: not enrolled: temporary trigger act of this connection acts on notes; drop it first"},
		} {
			t := newTest(t.T, t.driver)
			t.migrate(notes)
			t.exec("DROP TABLE _meta", "DROP TABLE _lockstep_history")
			before := t.state()
			db := t.open(Settings{})
			db.SetMaxOpenConns(1)
			t.execOn(db, c.damage)
			err := lockstep.Enroll(t.Context(), db, t.schema(notes))
			if err == nil {
				t.Fatal("got no error")
			}
			t.same("error", t.text(err), c.want)
			t.same("state", t.state(), before)
		}
	})
}
