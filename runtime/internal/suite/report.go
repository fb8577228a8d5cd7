package suite

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// progress returns an option that records the events of an upgrade.
func progress(events *[]string) lockstep.Option {
	return lockstep.WithProgress(func(p lockstep.Progress) {
		event := fmt.Sprintf("%v %s %d/%d %d/%d", p.Version, p.File, p.Migration, p.Migrations, p.Statement, p.Statements)
		if p.Version == 0 {
			event = fmt.Sprintf("%s %d/%d", p.Doing, p.Migration, p.Migrations)
		} else if p.Doing != "running" {
			event += " " + p.Doing
		}
		if p.Done {
			event += " done"
		}
		if p.Done != (p.Took > 0) || p.Elapsed <= 0 {
			event += fmt.Sprintf(" after %v, %v", p.Took, p.Elapsed)
		}
		*events = append(*events, event)
	})
}

// logger returns an option that writes the log of an upgrade.
func (t *test) logger(b *bytes.Buffer) lockstep.Option {
	return lockstep.WithLogger(slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey:
				return slog.Attr{}
			case "took":
				return slog.String("took", "…")
			}
			if s, ok := a.Value.Any().(string); ok {
				return slog.String(a.Key, digests.ReplaceAllString(strings.ReplaceAll(s, t.path, "data.db"), "d1:…"))
			}
			return a
		},
	})))
}

const pending = `
-- 0001-notes.sql --
CREATE TABLE notes (id INTEGER PRIMARY KEY);
-- 0002-tags.sql --
CREATE TABLE tags (tag TEXT);
BEGIN;
INSERT INTO tags VALUES ('a');
COMMIT;
-- 0003-index.sql --
CREATE INDEX by_tag ON tags (tag);
`

func reportsProgress(t *test) {
	t.claim("ReportsProgressOfEachStatement", func(t *test) {
		want := []string{
			"waiting 0/0",
			"checking 0/0",
			"0002 0002-tags.sql 1/2 0/4",
			"0002 0002-tags.sql 1/2 1/4",
			"0002 0002-tags.sql 1/2 1/4 done",
			"0002 0002-tags.sql 1/2 3/4",
			"0002 0002-tags.sql 1/2 3/4 done",
			"0002 0002-tags.sql 1/2 0/4 done",
			"checking 1/2", // with WithPerMigration
			"waiting 1/2",
			"checking 1/2",
			"0003 0003-index.sql 2/2 0/1",
			"0003 0003-index.sql 2/2 1/1",
			"0003 0003-index.sql 2/2 1/1 done",
			"0003 0003-index.sql 2/2 0/1 done",
			"checking 2/2",
		}
		for _, opts := range [][]lockstep.Option{{lockstep.WithPerMigration()}, nil} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, pending))
			var got []string
			t.migrate(pending, append(opts, progress(&got))...)
			if opts == nil {
				want = slices.Delete(want, 8, 11)
			}
			t.same("progress", strings.Join(got, "\n"), strings.Join(want, "\n"))
			got = nil
			t.migrate(pending, progress(&got))
			t.same("progress at head", strings.Join(got, "\n"), "")
		}
	})
	t.claim("ReportsNoStatementDoneThatFailed", func(t *test) {
		t.migrate(upTo(1, pending))
		t.exec("CREATE TABLE tags (tag TEXT)")
		var got []string
		db := t.open(Settings{})
		t.says(lockstep.Migrate(t.Context(), db, t.schema(pending), progress(&got)), "data.db: 0002-tags.sql:1: table tags already exists; rolled back, still at 0001; tables were changed since 0001: table tags was added")
		t.same("progress", strings.Join(got, "\n"), "waiting 0/0\nchecking 0/0\n0002 0002-tags.sql 1/2 0/4\n0002 0002-tags.sql 1/2 1/4")
	})
}

func reportsWaiting(t *test) {
	t.claim("ReportsThatItWaitsToRead", func(t *test) {
		t.journal("delete")
		t.migrate(upTo(1, pending))
		t.waits(pending, t.hold("BEGIN EXCLUSIVE"), func(lockstep.Progress) func() { return nil })
	})
	t.claim("ReportsThatItWaitsToRecordWhatRanAlone", func(t *test) {
		archive := pending + "-- 0004-alone.sql --\n-- lockstep: no-transaction\nVACUUM;\n"
		t.migrate(pending)
		t.waits(archive, nil, func(p lockstep.Progress) func() {
			if p.Version == 4 && p.Done && p.Statement == 0 {
				return t.hold("BEGIN IMMEDIATE")
			}
			return nil
		})
	})
}

// waits fails the test unless Migrate, while somebody holds a lock, reports that it waits.
// release, or what hold returns, releases the lock.
func (t *test) waits(archive string, release func(), hold func(p lockstep.Progress) func()) {
	t.Helper()
	err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.schema(archive), lockstep.WithProgress(func(p lockstep.Progress) {
		if release != nil && p.Doing == "waiting" {
			release()
			release = nil
		}
		if held := hold(p); held != nil {
			release = held
		}
	}), lockstep.WithTimeout(5*time.Second))
	if err != nil || release != nil {
		t.Errorf("got %v; want a report that Migrate waits", err)
	}
}

func logs(t *test) {
	t.claim("LogsEachMigrationOnceItIsCommitted", func(t *test) {
		t.migrate(upTo(1, pending))
		var b bytes.Buffer
		t.migrate(pending, t.logger(&b))
		t.same("log", b.String(), `level=INFO msg="migration applied" database=data.db version=0002 file=0002-tags.sql took=…
level=INFO msg="migration applied" database=data.db version=0003 file=0003-index.sql took=…
`)
		b.Reset()
		t.migrate(pending, t.logger(&b))
		t.same("log at head", b.String(), "")
	})
	t.claim("LogsNothingThatWasRolledBack", func(t *test) {
		t.stocked()
		var b bytes.Buffer
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.schema(shop), t.logger(&b))
		t.says(err, "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0001")
		t.same("log", b.String(), "")
	})
	t.claim("LogsObjectsThatNoMigrationMade", func(t *test) {
		t.migrate(pending)
		t.exec("CREATE INDEX extra ON tags (tag)")
		var b bytes.Buffer
		t.migrate(pending, t.logger(&b))
		t.same("log", b.String(), "level=INFO msg=\"object that no migration made\" database=data.db type=index name=extra\n")
		b.Reset()
		t.migrate(pending, t.logger(&b))
		t.same("log of the next start", b.String(), "")
	})
	t.claim("LogsForeignKeysThatWereViolatedBefore", func(t *test) {
		t.born(family)
		t.exec("PRAGMA foreign_keys = OFF", "INSERT INTO child VALUES (90, 9), (91, 9)", "CREATE TABLE stray (name TEXT REFERENCES parent (name))")
		var b bytes.Buffer
		t.migrate(family+"-- 0002-more.sql --\nUPDATE parent SET id = id;\n", t.logger(&b))
		t.same("log", b.String(), `level=WARN msg="foreign keys are violated, as before the upgrade" database=data.db violations="table child, parent parent: 2 rows; table stray references parent: foreign key mismatch"
level=INFO msg="object that no migration made" database=data.db type=table name=stray
level=INFO msg="migration applied" database=data.db version=0002 file=0002-more.sql took=…
`)
	})
	t.claim("LogsARefusalThatWasAllowed", func(t *test) {
		t.migrate(pending)
		t.exec("DROP INDEX by_tag")
		const text = "data.db: at version 0003, but its tables differ: index by_tag: missing; to start anyway, allow d1:…"
		e := t.refuses(t.schema(pending), lockstep.ErrDrift, text)
		var b bytes.Buffer
		t.migrate(pending, t.logger(&b), lockstep.WithAllowed(e.Digest))
		t.same("log", b.String(), `level=WARN msg="refusal allowed" database=data.db refusal="`+text+"\"\n")
	})
}
