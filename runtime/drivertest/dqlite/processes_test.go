package dqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/canonical/go-dqlite/app"
	"github.com/canonical/go-dqlite/client"
	"github.com/canonical/go-dqlite/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/barrier"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

const (
	processVar = "LOCKSTEP_TEST_PROCESS"
	suiteVar   = "LOCKSTEP_TEST_SUITE" // the node of the suite
)

// A process is one of this test's own: a node, a program, or both.
type process struct {
	Dir, Address, Join string // of the node; no node without a Dir

	Does   string // name of a program in [programs]; none if ""
	Name   string // of its database
	Nodes  []string
	Schema fixture.Stored
}

// TestMain makes of this test a process, when an environment variable says so.
func TestMain(m *testing.M) {
	text, run := os.Getenv(processVar), run
	if program := os.Getenv("LOCKSTEP_TEST_PROGRAM"); program != "" {
		text, run = program, upgrade
	}
	if text == "" {
		os.Exit(m.Run())
	}
	if err := run(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(text string) error {
	var p process
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if p.Dir != "" {
		options := []app.Option{app.WithAddress(p.Address), app.WithRolesAdjustmentFrequency(time.Second)}
		if p.Join != "" {
			options = append(options, app.WithCluster([]string{p.Join}))
		}
		node, err := app.New(p.Dir, options...)
		if err != nil {
			return err
		}
		if err := node.Ready(context.Background()); err != nil {
			return err
		}
	}
	if p.Does != "" {
		db, err := open(p.Name, p.Nodes)
		if err != nil {
			return err
		}
		if err := programs[p.Does](context.Background(), db, p.Schema.Schema(nil)); err != nil {
			return err
		}
	}
	if p.Dir != "" { // a node until its standard input ends, as it does when the test dies
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	}
	return nil
}

// upgrade upgrades a database for the suite.
func upgrade(text string) error {
	var p struct {
		DSN    string
		Schema fixture.Stored
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	db, err := open(p.DSN, []string{os.Getenv(suiteVar)})
	if err != nil {
		return err
	}
	defer db.Close()
	return lockstep.Migrate(context.Background(), db, p.Schema.Schema(nil))
}

func open(name string, nodes []string) (*sql.DB, error) {
	d, err := driver.New(store(nodes), driver.WithLogFunc(func(client.LogLevel, string, ...any) {}), driver.WithAttemptTimeout(2*time.Second))
	if err != nil {
		return nil, err
	}
	connector, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func store(addresses []string) client.NodeStore {
	var nodes []client.NodeInfo
	for _, a := range addresses {
		nodes = append(nodes, client.NodeInfo{Address: a})
	}
	s := client.NewInmemNodeStore()
	s.Set(context.Background(), nodes)
	return s
}

var programs = map[string]func(context.Context, *sql.DB, *lockstep.Schema) error{
	"start": func(ctx context.Context, db *sql.DB, s *lockstep.Schema) error {
		barrier.Wait()
		return lockstep.Migrate(ctx, db, s)
	},
	"start by hand":           func(ctx context.Context, db *sql.DB, s *lockstep.Schema) error { return byHand(ctx, db, s, true) },
	"start by hand, careless": func(ctx context.Context, db *sql.DB, s *lockstep.Schema) error { return byHand(ctx, db, s, false) },
	"write": func(ctx context.Context, db *sql.DB, s *lockstep.Schema) error {
		return write(ctx, db, s, func(ctx context.Context, tx *sql.Conn) error { return lockstep.CheckTx(ctx, tx, s) })
	},
	"write, careless": func(ctx context.Context, db *sql.DB, s *lockstep.Schema) error {
		return write(ctx, db, s, nil)
	},
}

// byHand upgrades without lockstep. It reads the version when it has the lock, or before that
// as a careless program does.
func byHand(ctx context.Context, db *sql.DB, s *lockstep.Schema, locked bool) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	version := 0
	read := func() { conn.QueryRowContext(ctx, "SELECT version FROM _meta").Scan(&version) } // 0 without the table
	barrier.Wait()
	read()
	if err := sqlite.Wait(ctx, func() error { _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); return err }); err != nil {
		return err
	}
	if locked {
		read()
	}
	statements := []string{"CREATE TABLE IF NOT EXISTS _meta (id INTEGER PRIMARY KEY, version)", "CREATE TABLE IF NOT EXISTS _lockstep_history (version)"}
	for _, m := range s.Migrations[version:] {
		text, err := fs.ReadFile(s.Files, m.File)
		if err != nil {
			return err
		}
		statements = append(statements, string(text), fmt.Sprintf("INSERT INTO _lockstep_history VALUES (%d)", m.Version), fmt.Sprintf("REPLACE INTO _meta VALUES (1, %d)", m.Version))
	}
	for _, q := range append(statements, "COMMIT") {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// write writes notes until a newer release has upgraded the database, and what Watch says of
// it. Without a check, which a careless program has not, it is until some were written after
// that. It says when it has begun, and when it has ended.
func write(ctx context.Context, db *sql.DB, s *lockstep.Schema, check func(context.Context, *sql.Conn) error) error {
	if err := lockstep.Migrate(ctx, db, s); err != nil {
		return err
	}
	fmt.Println("ready")
	var all sync.WaitGroup
	all.Go(func() {
		for n := 1; ; n++ {
			limited, cancel := context.WithTimeout(ctx, 5*time.Second)
			err := note(limited, db, s, check)
			late := 0
			if err == nil && check == nil {
				err = db.QueryRowContext(limited, "SELECT count(*) FROM notes WHERE met > release").Scan(&late)
			}
			cancel()
			if errors.Is(err, lockstep.ErrAhead) || late > 10 {
				return
			}
			if err != nil { // a connection that is lost, or a lock
				n--
			} else if n == 10 {
				fmt.Println("writing")
			}
		}
	})
	if check != nil {
		if err := lockstep.Watch(ctx, db, s, lockstep.WithInterval(20*time.Millisecond)); !errors.Is(err, lockstep.ErrAhead) {
			return fmt.Errorf("Watch says %w", err)
		}
	}
	all.Wait()
	fmt.Println("ended")
	io.Copy(io.Discard, os.Stdin) // until somebody replaces it
	return nil
}

// note is a transaction of two statements, as a program writes it. A note tells of which
// release the program is, and the version that it met.
func note(ctx context.Context, db *sql.DB, s *lockstep.Schema, check func(context.Context, *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // after a COMMIT it does nothing
	if check != nil {
		if err := check(ctx, conn); err != nil {
			return err
		}
	}
	insert := fmt.Sprintf("INSERT INTO notes (release, met) SELECT %d, version FROM _meta", s.Expected)
	for _, q := range []string{insert, "UPDATE notes SET whole = 1 WHERE whole IS NULL", "COMMIT"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
