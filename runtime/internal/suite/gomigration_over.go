package suite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func goOver(t *test) {
	t.claim("IsOverWhenTheFunctionHasReturned", func(t *test) {
		var kept lockstep.Tx
		var stmt *sql.Stmt
		var rows *sql.Rows
		t.runs(fills(func(ctx context.Context, tx lockstep.Tx) (err error) {
			kept = tx
			if stmt, err = tx.PrepareContext(ctx, "UPDATE notes SET slug = 'late'"); err != nil {
				return err
			}
			if rows, err = tx.QueryContext(ctx, "SELECT id FROM notes"); err == nil && !rows.Next() {
				err = errors.New("no rows")
			}
			return err
		}))
		ctx := t.Context()
		for name, err := range map[string]error{
			"Exec":     executes("UPDATE notes SET slug = 'late'")(ctx, kept),
			"Query":    queries("SELECT 1")(ctx, kept),
			"QueryRow": kept.QueryRowContext(ctx, "SELECT 1").Scan(new(any)),
			"Prepare":  prepares("SELECT 1")(ctx, kept),
		} {
			if !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("%s: got %v, want %v", name, err, sql.ErrTxDone)
			}
		}
		if _, err := stmt.Exec(); err == nil {
			t.Error("a statement was executed")
		}
		if rows.Next() {
			t.Error("rows were read")
		}
		rows.Close()
		stmt.Close()
		t.same("slugs", t.query("SELECT slug FROM notes ORDER BY id"), "one!\ntwo!\nthree!")
	})
	t.claim("RowsThatHoldRawBytesDoNotHoldTheUpgrade", func(t *test) {
		var rows *sql.Rows
		t.runs(func(ctx context.Context, tx lockstep.Tx) (err error) {
			if rows, err = tx.QueryContext(ctx, "SELECT title FROM notes"); err != nil {
				return err
			}
			rows.Next()
			return rows.Scan(new(sql.RawBytes))
		})
		if rows.Next() {
			t.Error("rows were read")
		}
		rows.Close()
	})
	t.claim("HandsOutNothingThatEndsTheTransaction", func(t *test) {
		t.upgradeBy(t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
			switch tx.(type) {
			case *sql.Conn, *sql.Tx, *sql.DB, interface{ Raw(func(any) error) error }, interface{ Commit() error }, interface{ Rollback() error }, interface{ Close() error }:
				t.Errorf("it is a %T", tx)
			}
			return nil
		}))
	})
}

// goGoroutines is about goroutines that outlive the function.
func goGoroutines(t *test) {
	t.claim("GoroutineThatNobodyWaitsForIsAFailure", func(t *test) {
		ended := make(chan error, 2)
		t.undone("the function returned while one of its goroutines was using lockstep.Tx; wait for the goroutine", func(ctx context.Context, tx lockstep.Tx) error {
			go func() { ended <- queries(endless)(context.Background(), tx) }()
			time.Sleep(50 * time.Millisecond)
			return nil
		})
		for range 2 {
			if err := <-ended; err == nil {
				t.Error("the goroutine's statement succeeded")
			}
		}
	})
	t.claim("GoroutineIsWaitedForWhereNoContextEnds", func(t *test) {
		t.migrate(upTo(1, slugs))
		ended := make(chan error, 1)
		started := make(chan bool)
		s := t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT title FROM notes")
			if err != nil {
				return err
			}
			go func() {
				close(started)
				for rows.Next() {
				}
				_, err := tx.ExecContext(ctx, "UPDATE notes SET slug = 'late'")
				ended <- err
			}()
			<-started
			return errors.New("not today")
		})
		if err := lockstep.Migrate(context.Background(), t.open(Settings{}), s); err == nil {
			t.Error("the upgrade succeeded")
		}
		<-ended
		t.same("slugs", t.query("SELECT slug FROM notes WHERE slug = 'late'"), "")
		t.upgradeBy(t.slugsBy(fillSlugs))
	})
}

// goValues is about what a migration reads and writes.
func goValues(t *test) {
	t.claim("ReadsAndWritesWhatTheDriverMakesOfValues", func(t *test) {
		const archive = "-- 0001-types.sql --\nCREATE TABLE types (id INTEGER PRIMARY KEY, at DATETIME, day DATE, yes BOOLEAN, blob BLOB, text TEXT, real REAL, any);\n"
		t.migrate(archive)
		const q = "SELECT * FROM types ORDER BY id"
		var inside string
		t.upgradeBy(t.goSchema(archive+"-- 0002-rows.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: func(ctx context.Context, tx lockstep.Tx) error {
			err := t.insertTypes(ctx, tx)
			inside = valuesOf(tx.QueryContext(ctx, q))
			return err
		}}))
		t.same("values", inside, valuesOf(t.open(Settings{}).QueryContext(t.Context(), q)))
	})
	t.claim("ReadsRowsWhileItWritesOthersAndReusesStatements", func(t *test) {
		t.runs(func(ctx context.Context, tx lockstep.Tx) error {
			stmt, err := tx.PrepareContext(ctx, "UPDATE notes SET slug = ? WHERE id = ?")
			if err != nil {
				return err
			}
			all, err := tx.PrepareContext(ctx, "SELECT id FROM notes ORDER BY id")
			if err != nil {
				return err
			}
			outer, err := all.QueryContext(ctx)
			if err != nil {
				return err
			}
			for filled := 0; outer.Next(); filled++ {
				var id, n int
				if err := outer.Scan(&id); err != nil {
					return err
				}
				if err := tx.QueryRowContext(ctx, "SELECT count(slug) FROM notes").Scan(&n); n != filled || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
				inner, err := tx.QueryContext(context.Background(), "SELECT lower(title) FROM notes WHERE id = $1", id)
				if err != nil {
					return err
				}
				for inner.Next() {
					var title string
					if err := inner.Scan(&title); err != nil {
						return err
					}
					res, err := stmt.ExecContext(ctx, title, id)
					if err != nil {
						return err
					}
					if n, err := res.RowsAffected(); n != 1 || err != nil {
						t.Errorf("got %d, %v", n, err)
					}
				}
				if err := inner.Close(); err != nil {
					return err
				}
			}
			return outer.Close()
		})
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	})
}

// insertTypes inserts two rows, and compares what comes back.
func (t *test) insertTypes(ctx context.Context, tx lockstep.Tx) error {
	at := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	res, err := tx.ExecContext(ctx, "INSERT INTO types VALUES (:id, :at, :at, :yes, :blob, :text, :real, :null)",
		sql.Named("id", 41), sql.Named("at", at), sql.Named("yes", true), sql.Named("blob", []byte{0, 1}), sql.Named("text", "ä"), sql.Named("real", 1.5), sql.Named("null", nil))
	if err != nil {
		return err
	}
	id, _ := res.LastInsertId()
	n, _ := res.RowsAffected()
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO types (at, text, any) VALUES (?, ?, ?) RETURNING id")
	if err != nil {
		return err
	}
	var got int
	if err := stmt.QueryRowContext(ctx, at, sql.NullString{}, "x").Scan(&got); err != nil {
		return err
	}
	t.same("ids and count", fmt.Sprint(id, " ", n, " ", got), "41 1 42")
	var back time.Time
	if err := tx.QueryRowContext(ctx, "SELECT at FROM types WHERE id = ?", got).Scan(&back); err != nil || !back.Equal(at) {
		t.Errorf("got %v, %v; want %v", back, err, at)
	}
	if err := tx.QueryRowContext(ctx, "SELECT at FROM types WHERE 0").Scan(&back); err != sql.ErrNoRows {
		t.Errorf("got %v, want %v", err, sql.ErrNoRows)
	}
	return nil
}

// valuesOf returns the columns and values of rows, with their types.
func valuesOf(rows *sql.Rows, err error) string {
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintln(&b, columns)
	row, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		pointers[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return err.Error()
		}
		for _, v := range row {
			fmt.Fprintf(&b, "%T %v\n", v, v)
		}
	}
	return b.String() + fmt.Sprint(rows.Err())
}

func goProgress(t *test) {
	t.claim("ReportsProgressAndRows", func(t *test) {
		s := t.goSchema(slugs+"-- 0005-tell.sql --\nCREATE TRIGGER t AFTER UPDATE ON notes BEGIN INSERT INTO slugs VALUES (new.slug); END;\nUPDATE notes SET slug = upper(slug);\n", map[lockstep.Version]goFunc{3: fillSlugs})
		for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, slugs))
			var got []string
			t.upgradeBy(s, append(opts, lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Done {
					got = append(got, fmt.Sprintf("%s %d/%d %d", p.File, p.Statement, p.Statements, p.Rows))
				}
			}))...)
			// CREATE TABLE … AS SELECT counts nothing for SQLite, and lockstep's own rows
			// are not the migrations'.
			t.same("progress", strings.Join(got, "\n"), `0002-trim.sql 1/1 3
0002-trim.sql 0/1 3
0003-slugs.go 0/0 6
0004-index.sql 1/1 6
0004-index.sql 0/1 6
0005-tell.sql 1/2 6
0005-tell.sql 2/2 12
0005-tell.sql 0/2 12`)
		}
	})
	t.claim("ReportsRowsWhileItRuns", func(t *test) {
		var during []int64
		t.runs(func(ctx context.Context, tx lockstep.Tx) error {
			for begun := time.Now(); len(during) < 2 && time.Since(begun) < 30*time.Second; {
				if err := executes("UPDATE notes SET slug = title")(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		}, lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Version == 3 && !p.Done && p.Rows > 3 {
				during = append(during, p.Rows)
			}
		}))
		if len(during) < 2 || during[1] <= during[0] || during[0]%3 != 0 {
			t.Errorf("got %v", during)
		}
	})
}
