package suite

import (
	"bytes"
	"context"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// hostile is a name that would erase a line, begin another and turn the text around; and as
// an error has to write it.
const (
	hostile  = "x\x1b[2K\rdata.db: fine\n\u202e\u009b"
	harmless = `x\x1b[2K\rdata.db: fine\n\u202e\u009b`
)

func quotesNames(t *test) {
	s := func(t *test) *lockstep.Schema { return t.schema(upTo(2, notes)) }
	t.claim("DriftQuotesNames", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec(`ALTER TABLE notes ADD COLUMN "`+hostile+`"`, `CREATE INDEX "`+hostile+`" ON tags (tag)`)
		e := t.refuses(s(t), lockstep.ErrDrift,
			"data.db: at version 0002, but its tables differ: table notes: column "+harmless+": not expected; to start anyway, allow d1:…")
		var b bytes.Buffer
		t.migrate(upTo(2, notes), t.logger(&b), lockstep.WithAllowed(e.Digest))
		if strings.ContainsAny(b.String(), "\x1b\r\u202e\u009b") {
			t.Errorf("got log %q", &b)
		}
	})
	t.claim("DivergenceQuotesFiles", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec("UPDATE _lockstep_history SET checksum = 'x', file = '" + hostile + "' WHERE version = 2")
		t.exec("UPDATE _lockstep_history SET digest = 'x'")
		t.refuses(s(t), lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: "+harmless+" was applied, but this program has 0002-tags.sql; to start anyway, allow d1:…\n\tlockstep redo --db data.db")
	})
	t.claim("AVersionThatIsTextIsQuoted", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec("UPDATE _meta SET version = '" + hostile + "'")
		t.refuses(s(t), lockstep.ErrUnreadable, `data.db: cannot read the version: _meta says version "`+harmless+`"; want a whole number`)
	})
	t.claim("SQLitesSentenceIsQuoted", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec(`CREATE TRIGGER stop BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, '` + hostile + `'); END`)
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.schema(upTo(2, notes)+"-- 0003-more.sql --\nDELETE FROM notes; -- lockstep: no-cascade\n"))
		t.says(err, "data.db: 0003-more.sql:1: "+harmless+"; rolled back, still at 0002; tables were changed since 0002: trigger stop was added")
	})
	t.claim("OrphansQuoteNamesAndKeys", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec(`CREATE TABLE "`+hostile+`" (a TEXT PRIMARY KEY REFERENCES "p`+hostile+`") WITHOUT ROWID`, `CREATE TABLE "p`+hostile+`" (a TEXT PRIMARY KEY)`,
			`INSERT INTO "p`+hostile+`" VALUES ('`+hostile+`')`, `INSERT INTO "`+hostile+`" VALUES ('`+hostile+`')`)
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.goSchema(upTo(2, notes)+"-- 0003-more.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{3: deletesHostile}))
		t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0003 leaves rows without a parent: table "+harmless+", parent p"+harmless+": key ('"+harmless+"'); rolled back, still at 0002")
	})
}

func deletesHostile(ctx context.Context, tx lockstep.Tx) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM "p`+hostile+`"`)
	return err
}
