package suite

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/program"
)

// BenchmarkTx measures what statements cost in a migration in Go, against the same function
// with a *sql.Tx: in an upgrade whose context never ends, and in one whose context can be
// canceled, which costs some drivers a goroutine for each statement.
func BenchmarkTx(b *testing.B, d Driver) {
	for _, work := range txWork {
		b.Run(work.name, func(b *testing.B) {
			db, err := sql.Open(d.Name, d.DSN(filepath.Join(b.TempDir(), "data.db"), Settings{}))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if _, err := db.Exec(txItems); err != nil {
				b.Fatal(err)
			}
			raw := func(ctx context.Context) (took time.Duration) {
				tx, err := db.BeginTx(ctx, nil)
				if err == nil {
					took, err = timed(ctx, tx, work.f)
					tx.Rollback()
				}
				if err != nil {
					b.Fatal(err)
				}
				return took
			}
			guarded := func(ctx context.Context) (took time.Duration) {
				conn, err := db.Conn(ctx)
				if err == nil {
					defer conn.Close()
					_, err = conn.ExecContext(ctx, "BEGIN")
				}
				if err == nil {
					err = lockstep.Go(func(ctx context.Context, tx lockstep.Tx) (err error) {
						took, err = timed(ctx, tx, work.f)
						return err
					}).(program.Go).Replay(ctx, conn)
				}
				if err == nil {
					_, err = conn.ExecContext(ctx, "ROLLBACK")
				}
				if err != nil {
					b.Fatal(err)
				}
				return took
			}
			var plain, ratio [2][]float64
			for b.Loop() {
				for i, ctx := range []context.Context{context.Background(), b.Context()} {
					x := raw(ctx)
					y := guarded(ctx) + guarded(ctx)
					x += raw(ctx)
					plain[i], ratio[i] = append(plain[i], x.Seconds()/2), append(ratio[i], y.Seconds()/x.Seconds())
				}
			}
			b.ReportMetric(0, "ns/op")
			for i, unit := range []string{"", "-cancelable"} {
				b.ReportMetric(1e9*median(plain[i])/txStatements, "plain-ns"+unit)
				b.ReportMetric(median(ratio[i]), "ratio"+unit)
			}
		})
	}
}

// BenchmarkCheckTx measures a transaction of one UPDATE with CheckTx against one without, by
// turns. With a rollback journal each waits for the disk. In WAL mode most drivers do not.
func BenchmarkCheckTx(b *testing.B, d Driver) {
	for _, journal := range []string{"delete", "wal"} {
		b.Run(journal, func(b *testing.B) {
			ctx := context.Background()
			db, err := sql.Open(d.Name, d.DSN(filepath.Join(b.TempDir(), "data.db"), Settings{Journal: journal}))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			s := fixture.Schema(b, d.Name, fstest.MapFS{"0001-items.sql": {Data: []byte(txItems)}})
			if err := lockstep.Migrate(ctx, db, s); err != nil {
				b.Fatal(err)
			}
			transaction := func(check func(lockstep.Querier) error) float64 {
				begun := time.Now()
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer tx.Rollback()
				if err = check(tx); err == nil {
					_, err = tx.ExecContext(ctx, txUpdate, 1, 7)
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					b.Fatal(err)
				}
				return time.Since(begun).Seconds()
			}
			plain := func(lockstep.Querier) error { return nil }
			checked := func(tx lockstep.Querier) error { return lockstep.CheckTx(ctx, tx, s) }
			var without, ratio []float64
			for b.Loop() {
				x := transaction(plain)
				y := transaction(checked) + transaction(checked)
				x += transaction(plain)
				without, ratio = append(without, x/2), append(ratio, y/x)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e6*median(without), "plain-µs")
			b.ReportMetric(median(ratio), "ratio")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

func timed(ctx context.Context, tx lockstep.Tx, f goFunc) (time.Duration, error) {
	begun := time.Now()
	err := f(ctx, tx)
	return time.Since(begun), err
}

const (
	txStatements = 5000
	txItems      = `CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO items SELECT i, 'item ' || i, i FROM n;`
	txUpdate = "UPDATE items SET price = price + ? WHERE id = ?"
	txSelect = "SELECT name FROM items WHERE id = ?"
)

var txWork = []struct {
	name string
	f    goFunc
}{
	{"exec", func(ctx context.Context, tx lockstep.Tx) error {
		for i := range txStatements {
			if _, err := tx.ExecContext(ctx, txUpdate, i, 1+i); err != nil {
				return err
			}
		}
		return nil
	}},
	{"exec-prepared", func(ctx context.Context, tx lockstep.Tx) error {
		stmt, err := tx.PrepareContext(ctx, txUpdate)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for i := range txStatements {
			if _, err := stmt.ExecContext(ctx, i, 1+i); err != nil {
				return err
			}
		}
		return nil
	}},
	{"query", func(ctx context.Context, tx lockstep.Tx) error {
		for i := range txStatements {
			var name string
			if err := tx.QueryRowContext(ctx, txSelect, 1+i).Scan(&name); err != nil {
				return err
			}
		}
		return nil
	}},
	{"query-prepared", func(ctx context.Context, tx lockstep.Tx) error {
		stmt, err := tx.PrepareContext(ctx, txSelect)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for i := range txStatements {
			var name string
			if err := stmt.QueryRowContext(ctx, 1+i).Scan(&name); err != nil {
				return err
			}
		}
		return nil
	}},
	{"rows", func(ctx context.Context, tx lockstep.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id, name FROM items")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var name string
			if err := rows.Scan(&id, &name); err != nil {
				return err
			}
		}
		return rows.Err()
	}},
}
