package suite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func goErrors(t *test) {
	for _, c := range []struct {
		name string
		tell func(err error) error
		want string
	}{
		{"AsItIs", func(err error) error { return err }, "INSERT INTO notes (title) VALUES ('Two!'): UNIQUE constraint failed: notes.title"},
		{"Later", func(err error) error { return &later{err} }, "later: …"},
		{"Wrapped", func(err error) error { return fmt.Errorf("note 2: %w", err) }, "note 2: …"},
		{"InItsWords", func(err error) error { return fmt.Errorf("note 2: %v", err) }, "note 2: …"},
		{"NotAtAll", func(err error) error { return errors.New("note 2") }, "note 2: INSERT INTO notes (title) VALUES ('Two!'): UNIQUE constraint failed: notes.title"},
	} {
		t.claim("FailsWithTheErrorOfTheFunction"+c.name, func(t *test) {
			var first error
			t.migrate(upTo(1, slugs))
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
				_, first = tx.ExecContext(ctx, "INSERT INTO notes (title)\n\tVALUES ('Two!')")
				return c.tell(first)
			}))
			t.says(err, "data.db: 0003-slugs.go: "+strings.ReplaceAll(c.want, "…", strings.TrimSuffix(fmt.Sprint(first), " (2067)"))+"; rolled back, still at 0001")
			if first == nil || !errors.Is(err, first) {
				t.Errorf("%v is not found in %v", first, err)
			}
		})
	}
	for name, run := range map[string]goFunc{
		"Executed": executes("UPDATE notes SET slug = ?", struct{}{}),
		"Prepared": prepares("UPDATE notes SET slug = ?", struct{}{}),
		"Queried":  queries("UPDATE notes SET slug = ?", struct{}{}),
	} {
		t.claim("NamesTheStatementWhoseArgumentIsRefused"+name, func(t *test) {
			t.undone("UPDATE notes SET slug = ?: sql: converting argument $1 type: unsupported type struct {}, a struct", run)
		})
	}
	t.claim("FailureOfItsOwnChangesNothing", func(t *test) {
		t.undone("not today", fills(func(context.Context, lockstep.Tx) error { return errors.New("not today") }))
	})
	t.claim("OrphansThatItMakesChangeNothing", func(t *test) {
		t.migrate(family)
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		calls := 0
		err := lockstep.Migrate(t.Context(), db, t.goSchema(family+"-- 0002-orphan.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: func(ctx context.Context, tx lockstep.Tx) error {
			calls++
			_, err := tx.ExecContext(ctx, "INSERT INTO child VALUES (90, 9)")
			return err
		}}))
		t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0002 leaves rows without a parent: table child, parent parent: rowid 90; rolled back, still at 0001")
		t.same("state", t.state(), before)
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
}

// goEndedTransactions is about errors that end the transaction of the upgrade.
func goEndedTransactions(t *test) {
	const rollback = "INSERT OR ROLLBACK INTO notes (title) VALUES (?), (?)"
	const unique = ": UNIQUE constraint failed: notes.title"
	for _, c := range []struct {
		name string
		f    goFunc
		want string
	}{
		{"Exec", executes("INSERT OR ROLLBACK INTO notes (title) VALUES ('a'), ('a')"), "INSERT OR ROLLBACK INTO notes (title) VALUES ('a'), ('a')" + unique},
		{"ExecWithArguments", executes(rollback, "a", "a"), rollback + unique},
		{"Query", queries(rollback+" RETURNING id", "a", "a"), rollback + " RETURNING id" + unique},
		{"QueryRow", func(ctx context.Context, tx lockstep.Tx) error {
			return tx.QueryRowContext(ctx, rollback+" RETURNING id", "a", "a").Scan(new(any))
		}, rollback + " RETURNING id" + unique},
		{"Prepared", prepares(rollback, "a", "a"), rollback + unique},
		{"PreparedQuery", func(ctx context.Context, tx lockstep.Tx) error {
			stmt, err := tx.PrepareContext(ctx, rollback+" RETURNING id")
			if err != nil {
				return err
			}
			return stmt.QueryRowContext(ctx, "a", "a").Scan(new(any))
		}, rollback + " RETURNING id" + unique},
		{"Raise", executes("CREATE TRIGGER t BEFORE UPDATE ON notes BEGIN SELECT RAISE(ROLLBACK, 'hands off'); END;\nUPDATE notes SET slug = ''"),
			"CREATE TRIGGER t BEFORE UPDATE ON notes BEGIN SELECT RAISE(ROLLBACK, 'hands off'…: hands off"},
	} {
		t.claim("DoesNothingMoreAfterAFailed"+c.name, func(t *test) {
			t.leavesAll(func(db *sql.DB) { t.endsTransaction(db, c.f, c.want) })
		})
	}
	t.claim("DoesNothingMoreOnAFullDisk", func(t *test) {
		t.migrate(upTo(1, slugs))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.rows(db, "PRAGMA max_page_count = 10")
		before := t.state()
		q := "INSERT INTO notes (title) VALUES (zeroblob(100000))"
		t.endsTransaction(db, executes(q), q+": database or disk is full")
		t.same("state", t.state(), before)
	})
}

// endsTransaction upgrades the file by a function that calls f, whose error ends the
// transaction, and goes on. Nothing is executed anymore.
func (t *test) endsTransaction(db *sql.DB, f goFunc, want string) {
	t.Helper()
	err := lockstep.Migrate(t.Context(), db, t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
		stmt, err := tx.PrepareContext(ctx, "INSERT INTO notes (title) VALUES ('before')")
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT 1 UNION ALL SELECT 2")
		if err != nil || !rows.Next() {
			return errors.Join(err, errors.New("no rows"))
		}
		first := f(ctx, tx)
		if first == nil {
			t.Error("did not fail")
		}
		refused := "not executed, because an earlier statement failed: " + want
		_, err = tx.ExecContext(ctx, "INSERT INTO notes (title) VALUES ('after')")
		t.same("Exec", fmt.Sprint(err), refused)
		if !errors.Is(err, first) {
			t.Error("the first error is not to be found in the second")
		}
		_, err = tx.QueryContext(ctx, "INSERT INTO notes (title) VALUES ('after')")
		t.same("Query", fmt.Sprint(err), refused)
		t.same("QueryRow", fmt.Sprint(tx.QueryRowContext(ctx, "SELECT 1").Scan(new(any))), refused)
		_, err = tx.PrepareContext(ctx, "SELECT 1")
		t.same("Prepare", fmt.Sprint(err), refused)
		_, err = stmt.ExecContext(ctx)
		t.same("Stmt.Exec", fmt.Sprint(err), refused)
		if rows.Next() {
			t.Error("read on")
		}
		t.same("Rows.Err", fmt.Sprint(rows.Err()), refused)
		return nil
	}))
	t.says(err, "data.db: 0003-slugs.go: "+want+"; rolled back, still at 0001")
}

// goHandledErrors is about errors that leave the transaction open. What becomes of them is
// for the function to say.
func goHandledErrors(t *test) {
	const conflict = "INSERT INTO notes (title) VALUES (?)"
	for _, c := range []struct {
		name string
		f    goFunc
	}{
		{"Conflict", executes(conflict, "Two!")},
		{"ConflictOfSeveralRows", executes("INSERT OR FAIL INTO notes (id, title) VALUES (4, 'kept'), (5, 'Two!')")},
		{"PreparedConflict", prepares(conflict, "Two!")},
		{"ConflictOfAQuery", queries(conflict+" RETURNING id", "Two!")},
		{"RaiseOfATrigger", executes("CREATE TRIGGER t BEFORE UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'hands off'); END;\nUPDATE notes SET slug = ''")},
		{"SecondRow", queries("SELECT json(CASE id WHEN 1 THEN '1' ELSE 'x' END) FROM notes ORDER BY id")},
		{"Syntax", executes("SELEKT 1")}, //lockstep:ignore sql: an error is the point
		{"Preparation", prepares("SELECT titel FROM notes")},
		{"LackOfArguments", executes("UPDATE notes SET slug = ? WHERE id = ?", "x")},
		{"LackOfArgumentsPrepared", prepares("UPDATE notes SET slug = ?")},
		{"ArgumentOfNoType", prepares("UPDATE notes SET slug = ?", struct{}{})},
	} {
		t.claim("GoesOnAfterAHandled"+c.name, func(t *test) {
			t.runs(fills(func(ctx context.Context, tx lockstep.Tx) error {
				if err := c.f(ctx, tx); err == nil {
					t.Error("did not fail")
				}
				return executes("DROP TRIGGER IF EXISTS t; UPDATE notes SET slug = slug || id WHERE id > 1")(ctx, tx)
			}))
			want := "one!\ntwo!2\nthree!3"
			if c.name == "ConflictOfSeveralRows" {
				want += "\n"
			}
			t.same("slugs", t.query("SELECT * FROM slugs"), want)
		})
	}
	t.claim("GoesOnAfterTheContextOfAQueryHasEnded", func(t *test) {
		t.runs(func(ctx context.Context, tx lockstep.Tx) error {
			brief, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
			defer cancel()
			if err := queries(endless)(brief, tx); err == nil {
				t.Error("did not fail")
			}
			return fillSlugs(ctx, tx)
		})
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	})
	t.claim("SaysNothingOfAnErrorThatItHasHandled", func(t *test) {
		t.undone("not today", func(ctx context.Context, tx lockstep.Tx) error {
			executes(conflict, "Two!")(ctx, tx)
			return cmp.Or(fillSlugs(ctx, tx), errors.New("not today"))
		})
	})
}

// ends lets a function end in another way than by returning.
func (t *test) ends(f goFunc, wantPanic any) {
	t.Helper()
	s := t.slugsBy(f)
	t.leavesAll(func(db *sql.DB) {
		recovered := make(chan any)
		go func() {
			defer func() { recovered <- recover() }()
			lockstep.Migrate(context.Background(), db, s)
		}()
		select {
		case got := <-recovered:
			if got != wantPanic {
				t.Errorf("recovered %v, want %v", got, wantPanic)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("Migrate did not end")
		}
	})
}

func goPanics(t *test) {
	t.claim("PanicGoesOnAndChangesNothing", func(t *test) {
		t.ends(func(ctx context.Context, tx lockstep.Tx) error {
			if err := executes("PRAGMA recursive_triggers = 1; UPDATE notes SET slug = 'x'")(ctx, tx); err != nil {
				return err
			}
			tx.QueryContext(ctx, "SELECT * FROM notes")
			panic("stop")
		}, "stop")
	})
	t.claim("PanicInScanGoesOnAndChangesNothing", func(t *test) {
		t.ends(fills(func(ctx context.Context, tx lockstep.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT 1")
			if err != nil || !rows.Next() {
				return errors.Join(err, errors.New("no rows"))
			}
			// (A deferred Close would wait forever: database/sql still holds a lock.)
			return rows.Scan(panicking{})
		}), "scanned")
	})
	t.claim("GoexitChangesNothing", func(t *test) {
		t.ends(fills(func(context.Context, lockstep.Tx) error { runtime.Goexit(); return nil }), nil)
	})
}

// endless is a recursive query that has no end.
const endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n WHERE i < 0"

func goContexts(t *test) {
	for _, c := range []struct {
		name string
		f    goFunc
	}{
		{"AQuery", queries(endless)},
		{"AQueryWithAContextOfItsOwn", func(_ context.Context, tx lockstep.Tx) error { return queries(endless)(context.Background(), tx) }},
		{"AnExecWithAContextOfItsOwn", func(_ context.Context, tx lockstep.Tx) error {
			return executes("CREATE TABLE endless AS "+endless)(context.Background(), tx)
		}},
		{"APreparedStatement", prepares("INSERT INTO notes (title) " + endless)},
		{"WhatIgnoresIt", func(ctx context.Context, tx lockstep.Tx) error { queries(endless)(ctx, tx); return nil }},
		{"WhatOnlyWaits", func(ctx context.Context, tx lockstep.Tx) error { <-ctx.Done(); return nil }},
		{"WhatGoesOnAfterIt", func(ctx context.Context, tx lockstep.Tx) error {
			<-ctx.Done()
			return executes("UPDATE notes SET slug = 'x'")(context.Background(), tx)
		}},
	} {
		t.claim("ContextThatEndsInterrupts"+c.name, func(t *test) {
			t.leavesAll(func(db *sql.DB) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := lockstep.Migrate(ctx, db, t.slugsBy(fills(func(ctx context.Context, tx lockstep.Tx) error {
					time.AfterFunc(50*time.Millisecond, cancel)
					return c.f(ctx, tx)
				})))
				t.says(err, "data.db: 0003-slugs.go: interrupted: context canceled; rolled back, still at 0001")
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want the context's error", err)
				}
			})
		})
	}
	t.claim("ContextOfAStatementThatEndsIsAFailureOfIt", func(t *test) {
		t.leavesAll(func(db *sql.DB) {
			var first error
			err := lockstep.Migrate(t.Context(), db, t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
				brief, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
				defer cancel()
				if first = executes("INSERT INTO notes (title) "+endless)(brief, tx); first == nil {
					t.Error("did not fail")
				}
				if err := executes("UPDATE notes SET slug = 'kept'")(ctx, tx); err == nil {
					t.Error("executed another statement")
				}
				return fmt.Errorf("out of time: %v", first)
			}))
			t.says(err, fmt.Sprintf("data.db: 0003-slugs.go: out of time: %v; rolled back, still at 0001", first))
		})
	})
}

// later is an error with other words.
type later struct{ error }

func (e *later) Error() string { return "later: " + e.error.Error() }
func (e *later) Unwrap() error { return e.error }

type panicking struct{}

func (panicking) Scan(any) error { panic("scanned") }
