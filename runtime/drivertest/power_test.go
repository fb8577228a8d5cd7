package drivertest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
	"github.com/lockstep-db/lockstep/runtime/internal/suite"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

var (
	long = flag.Bool("long", false, "lose power at each moment, where a plain run takes a few")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is drawn, to try the same again")
)

var ledger = fstest.MapFS{
	"0001-accounts.sql": {Data: []byte(`CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO accounts SELECT i, i, hex(zeroblob(50)) FROM n;`)},
	"0002-double.sql": {Data: []byte(`CREATE INDEX by_balance ON accounts (balance);
UPDATE accounts SET balance = 2 * balance, note = note || '!';`)},
}

// TestMain makes of this test a program that upgrades a database, when an environment variable
// says which.
func TestMain(m *testing.M) {
	text := os.Getenv("LOCKSTEP_TEST_PROGRAM")
	if text == "" {
		flag.Parse()
		fmt.Printf("proof: seed %d of runtime/drivertest\n", *seed)
		os.Exit(m.Run())
	}
	var p program
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.upgrade()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.WriteString("done")
}

// A program upgrades a database.
type program struct {
	Driver, DSN string
	Schema      fixture.Stored
}

func (p program) upgrade() error {
	db, err := sql.Open(p.Driver, p.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA cache_size = 5"); err != nil { // pages are written before the commit
		return err
	}
	return lockstep.Migrate(context.Background(), db, p.Schema.Schema(map[string]lockstep.Program{".go": lockstep.Go(fixture.Raise)}))
}

// holds returns what tells the versions of a ledger from each other.
func holds(name, dsn string) (s string, err error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRow(`SELECT integrity_check || ' ' || (SELECT version FROM _meta) || ' ' || (SELECT sum(balance) || ' ' || sum(length(note)) FROM accounts) ||
' ' || (SELECT count(*) FROM sqlite_schema) || ' ' || (SELECT group_concat(version) FROM _lockstep_history) FROM pragma_integrity_check`).Scan(&s)
	return s, err
}

// TestProofLossOfPower has the machine die while each driver upgrades a database.
func TestProofLossOfPower(t *testing.T) {
	if err := systemcalls.Supported(); err != nil {
		t.Skip(err)
	}
	for _, name := range sql.Drivers() {
		dsn := modernc
		if name == "sqlite3" {
			dsn = mattn
		}
		for _, journal := range []string{"delete", "wal"} {
			t.Run(fmt.Sprintf("LeavesOldOrNew/%s/%s", name, journal), func(t *testing.T) {
				losesPower(t, name, func(path string) string { return dsn(path, suite.Settings{Journal: journal}) })
			})
		}
	}
}

func losesPower(t *testing.T, name string, dsn func(path string) string) {
	s := powerdisk.Sampling{Seed: *seed}
	if *long {
		s.Draws, s.Every = 16, 1
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data.db")
	first := fixture.Schema(t, name, fstest.MapFS{"0001-accounts.sql": ledger["0001-accounts.sql"]})
	if err := (program{name, dsn(path), fixture.Store(t, first)}).upgrade(); err != nil {
		t.Fatal(err)
	}
	old, err := holds(name, dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	log, err := powerdisk.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := program{name, dsn(path), fixture.Store(t, fixture.Schema(t, name, ledger))}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOCKSTEP_TEST_PROGRAM="+string(text))
	if err := (&systemcalls.Tracer{Root: dir, Log: log}).Run(cmd); err != nil {
		t.Fatal(err)
	}
	newest, err := holds(name, dsn(path))
	if err != nil || newest == old {
		t.Fatalf("got %s, %v", newest, err)
	}
	var n powerdisk.Tried
	for crash := range log.Crashes(s, &n) {
		dir := filepath.Join(dir, fmt.Sprint(n.Distinct))
		if err := errors.Join(os.Mkdir(dir, 0o700), crash.Files.WriteTo(dir)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "data.db")
		if got, err := holds(name, dsn(path)); err != nil || got != old && got != newest {
			t.Errorf("%s: got %s, %v", crash.When, got, err)
		}
		p.DSN = dsn(path)
		if err := p.upgrade(); err != nil {
			t.Errorf("%s: the next start: %v", crash.When, err)
		}
		os.RemoveAll(dir)
	}
	fmt.Printf("proof: %d moments at which the power was lost\nproof: %d draws of what survived\nproof: %d of them, different in what was on the disk\n", n.Points, n.Crashes, n.Distinct)
}

func mattn(path string, s suite.Settings) string {
	// Without it the driver would wait for locks for five seconds.
	query := url.Values{"_busy_timeout": {fmt.Sprint(s.BusyTimeout.Milliseconds())}}
	if s.ForeignKeys {
		query.Set("_foreign_keys", "1")
	}
	if s.Journal != "" {
		query.Set("_journal_mode", s.Journal)
	}
	if s.ReadOnly {
		query.Set("mode", "ro")
	}
	return "file:" + path + "?" + query.Encode()
}
