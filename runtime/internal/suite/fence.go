package suite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// fences has another process upgrade the database under a program that goes on writing.
func fences(t *test) {
	for _, journal := range []string{"delete", "wal"} {
		for _, begin := range []string{"BEGIN", "BEGIN IMMEDIATE"} {
			t.claim("CheckTxKeepsEveryStatementOutAfterAnUpgrade/"+journal+"/"+begin, func(t *test) {
				late := t.writesUnderUpgrade(journal, begin, func(ctx context.Context, _ *sql.DB, tx *sql.Conn, s *lockstep.Schema) error {
					return lockstep.CheckTx(ctx, tx, s)
				})
				t.same("statements after the upgrade", late, "0")
			})
		}
	}
	t.claim("AVersionThatIsReadOutsideOfTheTransactionKeepsNothingOut", func(t *test) { // so the above tests something
		late := t.writesUnderUpgrade("delete", "BEGIN", func(ctx context.Context, db *sql.DB, _ *sql.Conn, s *lockstep.Schema) error {
			conn, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			return lockstep.CheckTx(ctx, conn, s)
		})
		if late == "0" {
			t.Error("no statement took effect after the upgrade")
		}
	})
}

// writesUnderUpgrade has two connections of a program write in transactions, each after a
// check, until that says that the database is ahead. Meanwhile another process upgrades,
// which begins between a check and the statement after it. It returns how many statements
// took effect in the upgraded database.
func (t *test) writesUnderUpgrade(journal, begin string, check func(context.Context, *sql.DB, *sql.Conn, *lockstep.Schema) error) (late string) {
	t.Helper()
	t.journal(journal)
	t.migrate(upTo(2, notes))
	t.exec("CREATE TABLE written (version)") // of which each statement tells the version that it met
	s := t.schema(upTo(2, notes))
	cmd := t.upgrader(notes)
	upgraded := make(chan struct{})
	var upgrade sync.Once
	write := func(db *sql.DB) (done bool, err error) {
		ctx := context.WithoutCancel(t.Context())
		conn, err := db.Conn(ctx)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, begin); err != nil {
			return false, nil // locked
		}
		defer conn.ExecContext(ctx, "ROLLBACK") // does nothing after COMMIT
		if err := check(ctx, db, conn, s); err != nil {
			return !errors.Is(err, lockstep.ErrBusy), err
		}
		upgrade.Do(func() {
			go func() {
				defer close(upgraded)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("the upgrade: %v: %s", err, out)
				}
			}()
			select { // without a fence it gets done here
			case <-upgraded:
			case <-time.After(2 * t.wait()):
			}
		})
		for _, q := range []string{"INSERT INTO written SELECT version FROM _meta", "COMMIT"} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				return false, nil // locked, or its snapshot is old
			}
		}
		return false, nil
	}
	ends := make(chan error)
	for range 2 {
		db := t.open(Settings{BusyTimeout: time.Second})
		t.execOn(db, "PRAGMA synchronous = 0")
		go func() {
			for {
				done, err := write(db)
				if t.Failed() { // nothing will end it
					ends <- errors.Join(err, errors.New("the upgrade failed"))
					return
				}
				if done || err != nil && !errors.Is(err, lockstep.ErrBusy) {
					ends <- err
					return
				}
				time.Sleep(time.Millisecond) // or nobody else would get the lock
			}
		}()
	}
	for range 2 {
		if err := <-ends; !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("got %v, want ErrAhead", err)
		}
	}
	<-upgraded
	return t.query("SELECT count(*) FROM written WHERE version > 2")
}

// upgrader returns another process that upgrades the file: see TestMain of who runs the suite.
func (t *test) upgrader(archive string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"Driver": t.driver.Name, "DSN": t.driver.DSN(t.path, Settings{BusyTimeout: time.Second}), "Schema": fixture.Store(t.T, t.schema(archive)),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOCKSTEP_TEST_PROGRAM="+string(text))
	cmd.Stdin = strings.NewReader("")
	return cmd
}
