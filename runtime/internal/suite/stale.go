package suite

import (
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime"
)

func staleCode(t *test) {
	embed := func(s *lockstep.Schema, name, text string) *lockstep.Schema {
		s.Files.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(text)}
		return s
	}
	// Stale code is found before the file is opened.
	refused := func(t *test, s *lockstep.Schema, want string) {
		t.Helper()
		db := t.open(Settings{})
		t.isRefusal(lockstep.Check(t.Context(), db, s), lockstep.ErrStale, want)
		t.isRefusal(lockstep.Migrate(t.Context(), db, s), lockstep.ErrStale, want)
	}
	t.claim("RefusesMigrationAddedWithoutGenerating", func(t *test) {
		refused(t, embed(t.schema(upTo(2, notes)), "0003-index-tags.sql", "CREATE INDEX tags_by_tag ON tags (tag);"),
			"0003-index-tags.sql: embedded, but not in lockstep_gen.go; generate before building\n\tgo generate ./...")
	})
	t.claim("RefusesMigrationAddedBetweenWithoutGenerating", func(t *test) {
		refused(t, embed(t.schema(upTo(2, notes)), "0001-another.sql", "CREATE TABLE another (id);"),
			"0001-another.sql: embedded, but not in lockstep_gen.go; generate before building\n\tgo generate ./...")
	})
	t.claim("RefusesMigrationRemovedWithoutGenerating", func(t *test) {
		s := t.schema(upTo(3, notes))
		delete(s.Files.(fstest.MapFS), "0002-tags.sql")
		refused(t, s, "0002-tags.sql: in lockstep_gen.go, but not embedded; generate before building\n\tgo generate ./...")
	})
	t.claim("RefusesLastMigrationRemovedWithoutGenerating", func(t *test) {
		s := t.schema(upTo(3, notes))
		delete(s.Files.(fstest.MapFS), "0003-index-tags.sql")
		refused(t, s, "0003-index-tags.sql: in lockstep_gen.go, but not embedded; generate before building\n\tgo generate ./...")
	})
	t.claim("RefusesFileWithAlmostTheNameOfAMigration", func(t *test) {
		refused(t, embed(t.schema(upTo(2, notes)), "0003_index_tags.sql", "CREATE INDEX tags_by_tag ON tags (tag);"),
			"0003_index_tags.sql: embedded, but not in lockstep_gen.go; generate before building\n\tgo generate ./...")
	})
	t.claim("RefusesPendingMigrationEditedWithoutGenerating", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		s := embed(t.schema(upTo(3, notes)), "0003-index-tags.sql", "DROP TABLE tags;")
		db := t.open(Settings{})
		t.isRefusal(lockstep.Migrate(t.Context(), db, s), lockstep.ErrStale,
			"0003-index-tags.sql: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./...")
		t.untouched(before)
	})
	t.claim("RefusesPendingMigrationWithAnotherDirective", func(t *test) {
		s := t.schema(upTo(1, notes))
		embed(s, "0001-notes.sql", "-- lockstep: no-transaction\n"+files(notes)["0001-notes.sql"])
		t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s), lockstep.ErrStale,
			"0001-notes.sql: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./...")
	})
	t.claim("IgnoresOtherFiles", func(t *test) {
		s := embed(t.schema(upTo(2, notes)), "README.md", "# Migrations")
		embed(s, "0002-tags.sql.bak", "CREATE TABLE")
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Error(err)
		}
	})
	t.claim("RunsTheSameStatementsUnderAnAddedComment", func(t *test) {
		s := t.schema(upTo(2, notes))
		embed(s, "0002-tags.sql", "-- Tags; of notes.\n\n"+files(notes)["0002-tags.sql"])
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Error(err)
		}
		t.same("tags", t.query("SELECT * FROM tags"), "1|a\n1|b\n2|c")
		t.atHead(t.schema(upTo(2, notes)))
	})
}
