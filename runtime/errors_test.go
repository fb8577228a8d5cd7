package lockstep

import (
	"context"
	"errors"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func TestErrorText(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = Version(i+1).String() + "-x.sql"
	}
	driver := &moderncError{"SQL logic error: no such column: tag (1)", 1}
	for _, c := range []struct {
		claim string
		err   error
		want  string
	}{
		{"Ahead", &Error{Kind: ErrAhead, DB: "data.db", Version: 6, Expected: 5},
			"data.db: at version 0006, this program expects 0005: written by a newer program, not opened"},
		{"Behind", &Error{Kind: ErrBehind, DB: "data.db", Version: 3, Expected: 5, Pending: []string{"0004-a.sql", "0005-b.sql"}},
			"data.db: at version 0003, this program expects 0005: pending 0004-a.sql, 0005-b.sql\n\tlockstep migrate --db data.db"},
		{"BehindByMany", &Error{Kind: ErrBehind, DB: "data.db", Expected: 12, Pending: many},
			"data.db: at version 0000, this program expects 0012: pending 0001-x.sql, 0002-x.sql, 0003-x.sql, 0004-x.sql, 0005-x.sql, 0006-x.sql, 0007-x.sql, 0008-x.sql, 0009-x.sql, 0010-x.sql and 2 more\n\tlockstep migrate --db data.db"},
		{"UnmanagedWithABlankInItsPath", &Error{Kind: ErrUnmanaged, DB: "my data.db", Detail: "4 tables and no version"},
			"my data.db: 4 tables and no version: not managed\n\tlockstep enroll --db 'my data.db'"},
		{"UnmanagedWithAQuoteInItsPath", &Error{Kind: ErrUnmanaged, DB: "it's.db", Detail: "1 table and no version"},
			"it's.db: 1 table and no version: not managed\n\tlockstep enroll --db 'it'\\''s.db'"},
		{"Drift", &Error{Kind: ErrDrift, DB: "data.db", Version: 5, Expected: 5, Digest: "d1:aa", Differences: []sqltext.Difference{{Detail: "index a: missing"}, {Detail: "view b: missing"}}},
			"data.db: at version 0005, but its tables differ: index a: missing; view b: missing; to start anyway, allow d1:aa"},
		{"DriftAfterAnUpgrade", &Error{Kind: ErrDrift, DB: "data.db", Version: 4, Expected: 5, Digest: "d1:aa", upgrading: true, Differences: []sqltext.Difference{{Detail: "index a: missing"}}},
			"data.db: the upgrade to 0005 produced different tables: index a: missing; rolled back, still at 0004; to start anyway, allow d1:aa"},
		{"Orphans", &Error{Kind: ErrForeignKey, DB: "data.db", Version: 4, Expected: 5, upgrading: true, Violations: []Violation{
			{Table: "a", Parent: "b", Count: 7, Rows: []string{"rowid 1", "rowid 2"}},
			{Table: "c", Parent: "b", Count: 1, Before: 2, Rows: []string{"rowid 3"}},
			{Table: "d", Parent: "b", Count: 3},
			{Table: "e", Parent: "b", Mismatch: true},
		}},
			"data.db: the upgrade to 0005 leaves rows without a parent: table a, parent b: rowid 1, rowid 2 and 5 more; table c, parent b: rowid 3, besides 2 rows from before; table d, parent b: 3 rows; table e references b: foreign key mismatch; rolled back, still at 0004"},
		{"Migration", &MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, RolledBack: true, Err: driver},
			"data.db: 0005-index-tags.sql:2: no such column: tag; rolled back, still at 0004"},
		{"MigrationWithoutTransaction", &MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, Err: driver},
			"data.db: 0005-index-tags.sql:2: no such column: tag; still at 0004"},
		{"Interruption", &MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, RolledBack: true, Err: &ncrucesError{"sqlite3: interrupted", 9}, ended: context.Canceled},
			"data.db: 0005-index-tags.sql:2: interrupted: context canceled; rolled back, still at 0004"},
		{"FailureBeforeAnInterruption", &MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, RolledBack: true, Err: driver, ended: context.Canceled},
			"data.db: 0005-index-tags.sql:2: no such column: tag; rolled back, still at 0004"},
		{"CommitOfUnknownFate", &MigrationError{DB: "data.db", Version: 4, committed: 6, Err: driver},
			"data.db: no such column: tag; the COMMIT may have taken effect: at 0004 or 0006"},
		{"Stale", stale("0005-index-tags.sql", "changed since lockstep_gen.go was generated; generate before building"),
			"0005-index-tags.sql: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./..."},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestErrorsAreFound(t *testing.T) {
	driver := &moderncError{"database is locked (5) (SQLITE_BUSY)", 5}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	cancel(why)
	for _, err := range []error{
		&Error{Kind: ErrBusy, Err: driver, ended: ended(ctx)},
		&MigrationError{Err: errors.Join(ErrBusy, driver), ended: ended(ctx)},
	} {
		for _, target := range []error{ErrBusy, driver, context.Canceled, why} {
			if !errors.Is(err, target) {
				t.Errorf("%T does not hold %v", err, target)
			}
		}
		if errors.Is(err, ErrAhead) {
			t.Errorf("%T holds another kind", err)
		}
	}
	if err := (&Error{Kind: ErrAhead}); errors.Is(err, nil) || err.Unwrap().Error() != ErrAhead.Error() {
		t.Error("an error without the driver's holds one of nothing")
	}
}
