package lockstep_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A moderncError is an error such as modernc.org/sqlite returns.
type moderncError struct {
	msg  string
	code int
}

func (e *moderncError) Error() string { return e.msg }
func (e *moderncError) Code() int     { return e.code }

// TestErrorText has the errors that a caller can make. The texts of those that are found
// in an upgrade, or after a context has ended, are in the suite.
func TestErrorText(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = lockstep.Version(i+1).String() + "-x.sql"
	}
	driver := &moderncError{"SQL logic error: no such column: tag (1)", 1}
	for _, c := range []struct {
		claim string
		err   error
		want  string
	}{
		{"Ahead", &lockstep.Error{Kind: lockstep.ErrAhead, DB: "data.db", Version: 6, Expected: 5},
			"data.db: at version 0006, this program expects 0005: written by a newer program, not opened"},
		{"Behind", &lockstep.Error{Kind: lockstep.ErrBehind, DB: "data.db", Version: 3, Expected: 5, Pending: []string{"0004-a.sql", "0005-b.sql"}},
			"data.db: at version 0003, this program expects 0005: pending 0004-a.sql, 0005-b.sql\n\tlockstep migrate --db data.db"},
		{"BehindByMany", &lockstep.Error{Kind: lockstep.ErrBehind, DB: "data.db", Expected: 12, Pending: many},
			"data.db: at version 0000, this program expects 0012: pending 0001-x.sql, 0002-x.sql, 0003-x.sql, 0004-x.sql, 0005-x.sql, 0006-x.sql, 0007-x.sql, 0008-x.sql, 0009-x.sql, 0010-x.sql and 2 more\n\tlockstep migrate --db data.db"},
		{"UnmanagedWithABlankInItsPath", &lockstep.Error{Kind: lockstep.ErrUnmanaged, DB: "my data.db", Detail: "4 tables and no version"},
			"my data.db: 4 tables and no version: not managed\n\tlockstep enroll --db 'my data.db'"},
		{"UnmanagedWithAQuoteInItsPath", &lockstep.Error{Kind: lockstep.ErrUnmanaged, DB: "it's.db", Detail: "1 table and no version"},
			"it's.db: 1 table and no version: not managed\n\tlockstep enroll --db 'it'\\''s.db'"},
		{"Drift", &lockstep.Error{Kind: lockstep.ErrDrift, DB: "data.db", Version: 5, Expected: 5, Digest: "d1:aa", Differences: []sqltext.Difference{{Detail: "index a: missing"}, {Detail: "view b: missing"}}},
			"data.db: at version 0005, but its tables differ: index a: missing; view b: missing; to start anyway, allow d1:aa"},
		{"Orphans", &lockstep.Error{Kind: lockstep.ErrForeignKey, DB: "data.db", Version: 4, Expected: 5, Violations: []lockstep.Violation{
			{Table: "a", Parent: "b", Count: 7, Rows: []string{"rowid 1", "rowid 2"}},
			{Table: "c", Parent: "b", Count: 1, Before: 2, Rows: []string{"rowid 3"}},
			{Table: "d", Parent: "b", Count: 3},
			{Table: "e", Parent: "b", Mismatch: true},
		}},
			"data.db: the upgrade to 0005 leaves rows without a parent: table a, parent b: rowid 1, rowid 2 and 5 more; table c, parent b: rowid 3, besides 2 rows from before; table d, parent b: 3 rows; table e references b: foreign key mismatch"},
		{"Migration", &lockstep.MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, RolledBack: true, Err: driver},
			"data.db: 0005-index-tags.sql:2: no such column: tag; rolled back, still at 0004"},
		{"MigrationWithoutTransaction", &lockstep.MigrationError{DB: "data.db", File: "0005-index-tags.sql", Line: 2, Version: 4, Err: driver},
			"data.db: 0005-index-tags.sql:2: no such column: tag; still at 0004"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestErrorsAreFound(t *testing.T) {
	why := errors.New("shutting down")
	// canceled upgrades a database that another connection locks, if it does not before, when
	// the upgrade first does something. When SQLite finds the lock, the context ends.
	canceled := func(t *testing.T, doing, archive string) error {
		path := fileAt(t, archive, 1)
		other, err := connect(t, path).Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		lock := sync.OnceFunc(func() {
			if _, err := other.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
				t.Error(err)
			}
		})
		if doing == "waiting" {
			lock()
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		db, err := driver.Open(dsn(path), func(c *sqlite3.Conn) error {
			return c.BusyHandler(func(context.Context, int) bool { cancel(why); return false })
		})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		return lockstep.Migrate(ctx, db, schema(t, archive, 2), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Doing == doing && !p.Done && p.Statement > 0 {
				lock()
			}
		}))
	}
	initial, _, _ := strings.Cut(shop, "-- 0002")
	alone := initial + "-- 0002-vacuum.sql --\n-- lockstep: no-transaction\nVACUUM;\n"
	for _, c := range []struct {
		err  error
		want any
	}{
		{canceled(t, "waiting", shop), new(*lockstep.Error)},
		{canceled(t, "running", alone), new(*lockstep.MigrationError)},
	} {
		if !errors.As(c.err, c.want) {
			t.Errorf("got %T, %v", c.err, c.err)
		}
		for _, target := range []error{lockstep.ErrBusy, sqlite3.BUSY, context.Canceled, why} {
			if !errors.Is(c.err, target) {
				t.Errorf("%v does not hold %v", c.err, target)
			}
		}
		if errors.Is(c.err, lockstep.ErrAhead) {
			t.Errorf("%v holds another kind", c.err)
		}
	}
	if err := (&lockstep.Error{Kind: lockstep.ErrAhead}); errors.Is(err, nil) || err.Unwrap().Error() != lockstep.ErrAhead.Error() {
		t.Error("an error without the driver's holds one of nothing")
	}
}

func TestFailureBeforeAnInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, path := schema(t, shop, 2), fileAt(t, shop, 1)
	own := errors.New("no such tag")
	fixture.Replace(s, 1, "0002-tags.go", lockstep.Go(func(context.Context, lockstep.Tx) error { cancel(); return own }), "package migrations\n")
	err := lockstep.Migrate(ctx, connect(t, path), s)
	if got, want := fmt.Sprint(err), path+": 0002-tags.go: no such tag; rolled back, still at 0001"; got != want || !errors.Is(err, own) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %s, want %s", got, want)
	}
}
