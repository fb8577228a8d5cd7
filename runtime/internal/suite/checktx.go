package suite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func checksTransactions(t *test) {
	t.claim("CheckTxIsNilInAnyTransactionAtTheVersion", func(t *test) {
		t.migrate(upTo(2, notes))
		s := t.schema(upTo(2, notes))
		tx, conn := t.begun(t.open(Settings{}))
		for _, on := range []lockstep.Querier{tx, conn, rowByRow{tx}} {
			if err := lockstep.CheckTx(t.Context(), on, s); err != nil {
				t.Errorf("%T: %v", on, err)
			}
		}
	})
	t.claim("CheckTxExecutesOneStatement", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		tx, _ := t.begun(db)
		tr.take()
		if err := lockstep.CheckTx(t.Context(), tx, t.schema(upTo(2, notes))); err != nil {
			t.Error(err)
		}
		t.same("statements", tr.take(), "SELECT count(*), version FROM main._meta")
	})
	t.claim("CheckTxRefusesAPool", func(t *test) {
		db := t.open(Settings{})
		for _, pool := range []lockstep.Querier{db, struct{ *sql.DB }{db}} {
			t.says(lockstep.CheckTx(t.Context(), pool, t.schema(upTo(2, notes))), "CheckTx of a pool says nothing about other connections; pass the transaction")
		}
	})
	t.claim("CheckTxOfATransactionThatHasEndedSaysSo", func(t *test) {
		t.migrate(upTo(2, notes))
		s := t.schema(upTo(2, notes))
		tx, conn := t.begun(t.open(Settings{}))
		tx.Rollback()
		conn.Close()
		if err := lockstep.CheckTx(t.Context(), tx, s); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("got %v", err)
		}
		if err := lockstep.CheckTx(t.Context(), conn, s); !errors.Is(err, sql.ErrConnDone) {
			t.Errorf("got %v", err)
		}
	})
	t.claim("CheckTxWithAContextThatHasEndedSaysSo", func(t *test) {
		t.migrate(upTo(2, notes))
		_, conn := t.begun(t.open(Settings{}))
		if err := lockstep.CheckTx(endedContext(), conn, t.schema(upTo(2, notes))); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.claim("CheckTxFindsTheDatabaseLocked", func(t *test) {
		t.migrate(upTo(2, notes))
		tx := t.begin(t.open(Settings{}), "BEGIN")
		release := t.hold("BEGIN EXCLUSIVE")
		t.isRefusal(lockstep.CheckTx(t.Context(), tx, t.schema(upTo(2, notes))), lockstep.ErrBusy, "data.db: locked by another connection: database is locked")
		release()
		if err := lockstep.CheckTx(t.Context(), tx, t.schema(upTo(2, notes))); err != nil {
			t.Error(err)
		}
	})
}

func refusesTransactions(t *test) {
	for _, c := range []struct {
		claim   string
		version int // that the file is brought to
		damage  string
		kind    error
		want    string
	}{
		{"CheckTxRefusesANewerDatabase", 3, "DROP TABLE IF EXISTS others", lockstep.ErrAhead,
			"data.db: at version 0003, this program expects 0002: upgraded by a newer program while this one ran"},
		{"CheckTxRefusesAnOlderDatabase", 1, "DROP TABLE IF EXISTS others", lockstep.ErrBehind,
			"data.db: at version 0001, this program expects 0002: pending 0002-tags.sql\n\tlockstep migrate --db data.db"},
		{"CheckTxRefusesANewDatabase", 0, "DROP TABLE IF EXISTS others", lockstep.ErrBehind,
			"data.db: at version 0000, this program expects 0002: pending 0001-notes.sql, 0002-tags.sql\n\tlockstep migrate --db data.db"},
		{"CheckTxRefusesADatabaseWithoutAVersion", 2, "DROP TABLE _meta", lockstep.ErrUnmanaged,
			"data.db: 3 tables and no version: not managed\n\tlockstep enroll --db data.db"},
		{"CheckTxRefusesADatabaseWithAnotherMeta", 0, "CREATE TABLE _meta (theirs)", lockstep.ErrUnmanaged,
			"data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db"},
		{"CheckTxRefusesMetaWithoutARow", 2, "DELETE FROM _meta", lockstep.ErrUnreadable,
			"data.db: cannot read the version: _meta has 0 rows; want 1"},
		{"CheckTxRefusesAVersionThatIsNoNumber", 2, "UPDATE _meta SET version = 'two'", lockstep.ErrUnreadable,
			"data.db: cannot read the version: _meta says version \"two\"; want a whole number"},
	} {
		t.claim(c.claim, func(t *test) {
			if c.version > 0 {
				t.migrate(upTo(c.version, notes))
			}
			t.exec(c.damage)
			tx, conn := t.begun(t.open(Settings{}))
			for _, on := range []lockstep.Querier{tx, conn, rowByRow{tx}} {
				t.isRefusal(lockstep.CheckTx(t.Context(), on, t.schema(upTo(2, notes))), c.kind, c.want)
			}
		})
	}
}

// rowByRow is what another package may make of a transaction.
type rowByRow struct{ tx *sql.Tx }

func (r rowByRow) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.tx.QueryRowContext(ctx, query, args...)
}

// begun returns a transaction, and a connection on which another one has begun.
func (t *test) begun(db *sql.DB) (*sql.Tx, *sql.Conn) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx, t.begin(db, "BEGIN")
}

func (t *test) begin(db *sql.DB, q string) *sql.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, q)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// holdsVersions tries to upgrade a database between CheckTx and the end of the transaction.
func holdsVersions(t *test) {
	for _, c := range []struct {
		claim    string
		journal  string
		begin    string
		upgrades bool // in between
	}{
		{"CheckTxHoldsTheVersionUntilATransactionThatReadsEnds", "delete", "BEGIN", false},
		{"CheckTxHoldsTheVersionUntilATransactionThatWritesEnds", "delete", "BEGIN IMMEDIATE", false},
		{"CheckTxHoldsTheVersionUntilATransactionThatWritesEndsInWALMode", "wal", "BEGIN IMMEDIATE", false},
		{"CheckTxHoldsTheVersionThatATransactionSeesInWALMode", "wal", "BEGIN", true},
	} {
		t.claim(c.claim, func(t *test) {
			t.journal(c.journal)
			t.migrate(upTo(2, notes))
			old := t.schema(upTo(2, notes))
			db := t.open(Settings{})
			conn := t.begin(db, c.begin)
			if err := lockstep.CheckTx(t.Context(), conn, old); err != nil {
				t.Fatal(err)
			}
			upgrade := func(timeout time.Duration) error {
				return lockstep.Migrate(t.Context(), t.open(Settings{}), t.schema(upTo(3, notes)), lockstep.WithTimeout(timeout))
			}
			err := upgrade(t.wait())
			if c.upgrades && err != nil || !c.upgrades && !errors.Is(err, lockstep.ErrBusy) {
				t.Errorf("an upgrade in between: %v", err)
			}
			if err := lockstep.CheckTx(t.Context(), conn, old); err != nil {
				t.Error(err)
			}
			_, err = conn.ExecContext(t.Context(), "INSERT INTO notes (title) VALUES ('old')")
			if (err != nil) != c.upgrades {
				t.Errorf("a statement of the old release: %v", err)
			}
			end := "COMMIT"
			if c.upgrades {
				end = "ROLLBACK"
			}
			if _, err := conn.ExecContext(t.Context(), end); err != nil {
				t.Error(err)
			}
			if err := upgrade(10 * time.Second); err != nil {
				t.Error(err)
			}
			if err := lockstep.CheckTx(t.Context(), t.begin(db, "BEGIN"), old); !errors.Is(err, lockstep.ErrAhead) {
				t.Errorf("after the upgrade: %v", err)
			}
		})
	}
}
