package suite

import (
	"context"
	"errors"

	"github.com/lockstep-db/lockstep/runtime"
)

// unmanaged makes what the first two of the notes make, in other words.
var unmanaged = []string{
	`create table "notes" (id integer primary key, title text not null)`,
	"INSERT INTO notes (title) VALUES ('kept')",
	`CREATE TABLE tags (note INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (note, tag), CHECK (tag <> ''),
		FOREIGN KEY (note) REFERENCES notes ON DELETE CASCADE)`,
}

// notEnrolled fails the test unless Enroll returns this error and writes nothing.
func (t *test) notEnrolled(s *lockstep.Schema, kind error, want string, settings Settings, opts ...lockstep.Option) {
	t.Helper()
	before := t.bytes()
	db := t.open(settings)
	t.isRefusal(lockstep.Enroll(t.Context(), db, s, opts...), kind, want)
	t.untouched(before)
}

func enrolls(t *test) {
	s := t.schema(upTo(2, notes))
	t.claim("MarksDatabaseThatHasTheTables", func(t *test) {
		t.exec(unmanaged...)
		t.exec("CREATE TABLE audit (x)")
		db := t.pool(Settings{ForeignKeys: true})
		before := t.settings(db)
		if err := lockstep.Enroll(t.Context(), db, s); err != nil {
			t.Fatal(err)
		}
		t.same("settings", t.settings(db), before)
		t.atHead(s)
		t.same("rows", t.query("SELECT title FROM notes"), "kept")
		t.same("version", t.query("SELECT id, version FROM _meta"), "1|2")
		t.same("history", t.query("SELECT version, file, checksum IS NULL, digest, fingerprint FROM _lockstep_history"),
			"2|0002-tags.sql|1|"+s.Digest+"|"+s.Fingerprint)
	})
	t.claim("MigrateContinues", func(t *test) {
		t.exec(unmanaged...)
		if err := lockstep.Enroll(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		t.migrate(notes)
		t.atHead(t.schema(notes))
		t.same("rows", t.query("SELECT title, body FROM notes"), "kept|about kept\nthird|about third")
		t.same("history", t.query("SELECT version, checksum IS NULL FROM _lockstep_history"), "2|1\n3|0\n4|0\n5|0\n6|0")
	})
	t.claim("RefusesVersionWhoseTablesAreNotRecorded", func(t *test) {
		t.exec("CREATE TABLE something (a)")
		at, err := s.At(1)
		if err != nil {
			t.Fatal(err)
		}
		before := t.bytes()
		err = lockstep.Enroll(t.Context(), t.open(Settings{}), at)
		t.says(err, "data.db: not enrolled: the tables of version 0001 are not recorded")
		t.untouched(before)
	})
}

func refusesToEnroll(t *test) {
	s := t.schema(upTo(2, notes))
	t.claim("RefusesManagedDatabase", func(t *test) {
		t.migrate(upTo(1, notes))
		t.notEnrolled(s, lockstep.ErrManaged, "data.db: already at version 0001; nothing was written", Settings{})
	})
	t.claim("RefusesOtherTables", func(t *test) {
		t.exec(unmanaged[0], "CREATE TABLE tags (note INTEGER NOT NULL, tag TEXT)")
		t.notEnrolled(s, lockstep.ErrDrift, "data.db: not enrolled: its tables are not those of version 0002: "+
			"table tags: column tag: want TEXT NOT NULL, found TEXT; want PRIMARY KEY (note, tag), found none; "+
			"want CHECK (tag <> ''), found none; want FOREIGN KEY (note) REFERENCES notes ON DELETE CASCADE, found none", Settings{})
	})
	t.claim("RefusesEmptyDatabase", func(t *test) {
		t.exec("CREATE TABLE x (y)", "DROP TABLE x")
		t.notEnrolled(s, lockstep.ErrDrift,
			"data.db: not enrolled: its tables are not those of version 0002: table notes: missing; table tags: missing", Settings{})
	})
	t.claim("RefusesMetaTableOfAnotherShape", func(t *test) {
		t.exec(unmanaged...)
		t.exec("CREATE VIEW _META AS SELECT 1 AS version")
		t.notEnrolled(s, lockstep.ErrUnmanaged, "data.db: has a table _meta that does not hold a version; rename it", Settings{})
	})
	t.claim("RefusesHistoryWithoutVersion", func(t *test) {
		t.migrate(upTo(3, notes))
		t.exec("DROP TABLE _meta", "DROP INDEX tags_by_tag", "DROP TRIGGER lower_tags")
		t.notEnrolled(s, lockstep.ErrUnmanaged, "data.db: has a table _lockstep_history and no version; restore its _meta, or rename it", Settings{})
	})
	t.claim("RefusesLockedDatabase", func(t *test) {
		t.exec(unmanaged...)
		for begin, want := range map[string]string{"BEGIN IMMEDIATE": busyText, "BEGIN EXCLUSIVE": t.unnamed(busyText)} {
			release := t.hold(begin)
			t.notEnrolled(s, lockstep.ErrBusy, want, Settings{}, lockstep.WithTimeout(t.wait()))
			release()
		}
	})
	t.claim("RefusesReadOnlyDatabase", func(t *test) {
		t.exec(unmanaged...)
		t.notEnrolled(s, lockstep.ErrUnmanaged, "data.db: not enrolled: attempt to write a readonly database", Settings{ReadOnly: true})
	})
}

func enrollsOnce(t *test) {
	s := t.schema(upTo(2, notes))
	t.claim("WritesNothingWhenTheContextHasEnded", func(t *test) {
		t.exec(unmanaged...)
		before := t.bytes()
		if err := lockstep.Enroll(endedContext(), t.open(Settings{}), s); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		t.untouched(before)
	})
	t.claim("ManyAtOnceEnrollItOnce", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.exec(unmanaged...)
			errs := make(chan error)
			const n = 4
			for range n {
				db := t.open(Settings{Journal: journal})
				go func() { errs <- lockstep.Enroll(t.Context(), db, s) }()
			}
			enrolled := 0
			for range n {
				if err := <-errs; err == nil {
					enrolled++
				} else {
					t.isRefusal(err, lockstep.ErrManaged, "data.db: already at version 0002; nothing was written")
				}
			}
			if enrolled != 1 {
				t.Errorf("%d enrolled it, want 1", enrolled)
			}
			t.atHead(s)
		}
	})
}
