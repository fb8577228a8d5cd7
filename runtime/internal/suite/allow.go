package suite

import (
	"errors"

	"github.com/lockstep-db/lockstep/runtime"
)

// edited has other contents of the first of the notes, which edit reports.
var edited = with(notes, "0001-notes.sql", "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\nINSERT INTO notes (title) VALUES ('other'), ('second');")

const edit = "0001-notes.sql was applied with different contents; to start anyway, allow d1:…"

// digest returns the digest of the refusal to upgrade the file.
func (t *test) digest(s *lockstep.Schema, kind error, opts ...lockstep.Option) string {
	t.Helper()
	err := lockstep.Migrate(t.Context(), t.open(Settings{}), s, opts...)
	var e *lockstep.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	return e.Digest
}

// allows fails the test unless the file is accepted, now and at the next start, with these
// digests allowed.
func (t *test) allows(s *lockstep.Schema, digests ...string) {
	t.Helper()
	var opts []lockstep.Option
	for _, d := range digests {
		opts = append(opts, lockstep.WithAllowed(d))
	}
	for range 2 {
		for _, call := range calls() {
			if err := call(t.Context(), t.open(Settings{}), s, opts...); err != nil && !errors.Is(err, lockstep.ErrBehind) {
				t.Errorf("got error %s", t.text(err))
			}
		}
	}
}

func allowsDrift(t *test) {
	t.claim("AcceptsExactlyTheDigestOfDrift", func(t *test) {
		t.migrate(notes)
		s := t.schema(notes)
		t.exec("DROP INDEX tags_by_tag")
		d := t.digest(s, lockstep.ErrDrift)
		t.allows(s, d)
		other := "d1:00000000000000000000000000000000"
		t.refuses(s, lockstep.ErrDrift, "data.db: at version 0006, but its tables differ: index tags_by_tag: missing; to start anyway, allow d1:…", lockstep.WithAllowed(other))
		t.refuses(s, lockstep.ErrDrift, "data.db: at version 0006, but its tables differ: index tags_by_tag: missing; to start anyway, allow d1:…", lockstep.WithAllowed(""))
	})
	t.claim("AllowedDriftExpiresWithTheNextChange", func(t *test) {
		t.migrate(notes)
		s := t.schema(notes)
		t.exec("DROP INDEX tags_by_tag")
		d := t.digest(s, lockstep.ErrDrift)
		t.exec("DROP VIEW list")
		if t.digest(s, lockstep.ErrDrift, lockstep.WithAllowed(d)) == d {
			t.Error("other drift has the same digest")
		}
		t.exec("CREATE VIEW list AS SELECT title, count(tag) AS tags FROM notes LEFT JOIN tags ON note = id GROUP BY id")
		t.allows(s, d)
		next := t.schema(notes + "-- 0007-more.sql --\nCREATE TABLE more (id);\n")
		if t.digest(next, lockstep.ErrDrift, lockstep.WithAllowed(d)) == d {
			t.Error("the next release of the program has the same digest")
		}
	})
	t.claim("AcceptsDriftAfterAnUpgrade", func(t *test) {
		t.migrate(upTo(3, notes))
		t.exec("DROP INDEX tags_by_tag")
		s := t.schema(notes)
		before := t.state()
		d := t.digest(s, lockstep.ErrDrift)
		t.same("state", t.state(), before)
		t.allows(s, d)
		t.same("version", t.query("SELECT version FROM _meta"), "6")
		t.refuses(s, lockstep.ErrDrift, "data.db: at version 0006, but its tables differ: index tags_by_tag: missing; to start anyway, allow d1:…")
	})
}

func allowsDivergence(t *test) {
	t.claim("AcceptsDivergenceAtHead", func(t *test) {
		t.migrate(upTo(3, edited))
		s := t.schema(upTo(3, notes))
		t.allows(s, t.digest(s, lockstep.ErrDiverged))
		t.refuses(s, lockstep.ErrDiverged, "data.db: at version 0003, but by other migrations: "+edit)
	})
	t.claim("AcceptsDivergenceBehindAndAfterItsUpgrade", func(t *test) {
		t.migrate(upTo(3, edited))
		s := t.schema(notes)
		t.allows(s, t.digest(s, lockstep.ErrDiverged))
		t.same("version", t.query("SELECT version FROM _meta"), "6")
		t.refuses(s, lockstep.ErrDiverged, "data.db: at version 0006, but by other migrations: "+edit)
	})
	t.claim("AllowedDivergenceExpiresWithTheNextChange", func(t *test) {
		t.migrate(upTo(3, edited))
		s := t.schema(upTo(3, notes))
		d := t.digest(s, lockstep.ErrDiverged)
		if next := t.schema(notes); t.digest(next, lockstep.ErrDiverged, lockstep.WithAllowed(d)) == d {
			t.Error("the next release of the program has the same digest")
		}
		t.exec("UPDATE _lockstep_history SET checksum = 't1:00000000000000000000000000000000' WHERE version = 2")
		if t.digest(s, lockstep.ErrDiverged, lockstep.WithAllowed(d)) == d {
			t.Error("other divergence has the same digest")
		}
	})
	t.claim("AcceptsDivergenceAndDriftTogether", func(t *test) {
		t.migrate(upTo(3, with(notes, "0002-tags.sql", "CREATE TABLE tags (note INTEGER, tag TEXT, color TEXT);")))
		s := t.schema(upTo(3, notes))
		diverged := t.digest(s, lockstep.ErrDiverged)
		drifted := t.digest(s, lockstep.ErrDrift, lockstep.WithAllowed(diverged))
		t.allows(s, diverged, drifted)
	})
}
