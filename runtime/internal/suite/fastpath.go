package suite

import (
	"os"

	"github.com/lockstep-db/lockstep/runtime"
)

// fastStatements are all statements of a start at head.
const fastStatements = `SELECT h.version, digest, fingerprint, cookie, m.version
FROM main._lockstep_history AS h, main._meta AS m ORDER BY h.version DESC LIMIT 2
PRAGMA schema_version`

// The calls that fast makes, by their indexes in calls.
const checks, migrates = 0, 1

// fast reports whether the next call takes the fast path.
func (t *test) fast(call int, s *lockstep.Schema) bool {
	t.Helper()
	db, tr := t.trace(Settings{})
	defer db.Close()
	if err := calls()[call](t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
	return tr.take() == fastStatements
}

func isFast(t *test) {
	t.claim("ReadsTwiceAtHead", func(t *test) {
		t.migrate(notes)
		s := t.schema(notes)
		for _, call := range calls() {
			db, tr := t.trace(Settings{ForeignKeys: true})
			if err := call(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
			t.same("statements", tr.take(), fastStatements)
		}
	})
	t.claim("WritesNothingAtHead", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.migrate(notes)
			t.exec("PRAGMA journal_mode = " + journal)
			bytes := t.bytes()
			info, err := os.Stat(t.path)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range calls() {
				db := t.pool(Settings{})
				if err := call(t.Context(), db, t.schema(notes)); err != nil {
					t.Error(err)
				}
				db.Close()
			}
			t.untouched(bytes)
			if now, err := os.Stat(t.path); err != nil || !now.ModTime().Equal(info.ModTime()) {
				t.Errorf("the file was written to")
			}
		}
	})
	t.claim("SucceedsAtHeadOnReadOnlyFile", func(t *test) {
		t.migrate(notes)
		for _, damage := range []string{"SELECT 1", "VACUUM"} { // the fast path, and not
			t.exec(damage)
			before := t.bytes()
			for _, call := range calls() {
				db := t.pool(Settings{ReadOnly: true})
				settings := t.settings(db)
				if err := call(t.Context(), db, t.schema(notes)); err != nil {
					t.Error(err)
				}
				t.same("settings", t.settings(db), settings)
			}
			t.untouched(before)
		}
	})
}

func notesCookies(t *test) {
	t.claim("MigrateRecordsTheCookieOfACorrectSchema", func(t *test) {
		t.migrate(notes)
		t.exec("VACUUM")
		s := t.schema(notes)
		if t.fast(migrates, s) {
			t.Error("the first start after VACUUM did not look")
		}
		if !t.fast(migrates, s) || !t.fast(checks, s) {
			t.Error("the second start after VACUUM looked, too")
		}
	})
	t.claim("CheckRecordsNothing", func(t *test) {
		t.migrate(notes)
		t.exec("VACUUM")
		before := t.bytes()
		s := t.schema(notes)
		for range 2 {
			if t.fast(checks, s) {
				t.Error("the cookie was noted")
			}
		}
		t.untouched(before)
	})
	t.claim("MigrateRecordsNothingAboutAllowedDrift", func(t *test) {
		t.migrate(notes)
		t.exec("DROP INDEX tags_by_tag")
		s := t.schema(notes)
		e := t.refuses(s, lockstep.ErrDrift, "data.db: at version 0006, but its tables differ: index tags_by_tag: missing; to start anyway, allow d1:…")
		before := t.bytes()
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s, lockstep.WithAllowed(e.Digest)); err != nil {
			t.Error(err)
		}
		t.untouched(before)
	})
}
