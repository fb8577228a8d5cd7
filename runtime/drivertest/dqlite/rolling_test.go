package dqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestRollingUpgrade replaces the nodes of a cluster one by one under three programs of the old
// release that write, the first by one of the new release.
func TestRollingUpgrade(t *testing.T) {
	c := newCluster(t)
	old := fstest.MapFS{"0001-notes.sql": {Data: []byte("CREATE TABLE notes (first, second);\n")}}
	next := fstest.MapFS{"0001-notes.sql": old["0001-notes.sql"],
		"0002-count.sql": {Data: []byte("CREATE TABLE seen (n INTEGER);\nINSERT INTO seen SELECT count(*) FROM notes;\n")}}
	s := fixture.Schema(t, "sqlite3", old)
	db, err := open("rolling.db", c.addresses[:])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := lockstep.Migrate(t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	writing := make(chan bool, 3)
	for range 3 {
		db, err := open("rolling.db", c.addresses[:])
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		all.Go(func() {
			if err := lockstep.Watch(t.Context(), db, s, lockstep.WithInterval(20*time.Millisecond)); !errors.Is(err, lockstep.ErrAhead) {
				t.Errorf("Watch says %v", err)
			}
		})
		all.Go(func() {
			for n := 0; ; {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				err := note(ctx, db, s)
				cancel()
				if errors.Is(err, lockstep.ErrAhead) {
					return
				}
				if t.Context().Err() != nil {
					t.Errorf("after the upgrade: %v", err)
					return
				}
				if err == nil {
					n++
				}
				if err == nil && n == 10 {
					writing <- true
				}
			}
		})
	}
	for range 3 {
		<-writing
	}
	for i := range c.nodes {
		c.kill(i)
		c.run(i)()
		if i == 0 {
			if err := lockstep.Migrate(t.Context(), db, fixture.Schema(t, "sqlite3", next)); err != nil {
				t.Error(err)
			}
		}
	}
	all.Wait()
	var rows, seen, half int
	err = db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM notes), (SELECT n FROM seen), (SELECT count(*) FROM notes WHERE second IS NULL)").Scan(&rows, &seen, &half)
	if err != nil || rows != seen || half > 0 || rows < 30 {
		t.Errorf("%d notes, of which the upgrade saw %d, and %d are half done: %v", rows, seen, half, err)
	}
	t.Logf("%d notes", rows)
}

// note is a transaction of two statements, as a program writes it.
func note(ctx context.Context, db *sql.DB, s *lockstep.Schema) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // after a COMMIT it does nothing
	if err := lockstep.CheckTx(ctx, conn, s); err != nil {
		return err
	}
	for _, q := range []string{"INSERT INTO notes (first) VALUES (1)", "UPDATE notes SET second = 1 WHERE second IS NULL", "COMMIT"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
