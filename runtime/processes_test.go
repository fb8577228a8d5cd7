package lockstep_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/samedir"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/barrier"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestMain makes of this program one of many that start on the same database, when
// [program.start] has told it to be one.
func TestMain(m *testing.M) {
	if p := os.Getenv(programVar); p != "" {
		if err := runProgram(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	samedir.Main(m)
}

const programVar = "LOCKSTEP_TEST_PROGRAM"

// A program is what another process needs to know to be a program that calls
// Migrate when it starts.
type program struct {
	DSN    string
	Schema fixture.Stored
	Keep   int // for WithBackup; 0 is without
}

// runProgram says that it is ready, waits for its standard input to end, and does
// what every program does. Then it asks the database a question that only the
// expected version can answer.
func runProgram(description string) error {
	var p program
	if err := json.Unmarshal([]byte(description), &p); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", p.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	barrier.Wait()
	ctx := context.Background()
	var opts []lockstep.Option
	if p.Keep > 0 {
		opts = append(opts, lockstep.WithBackup(p.Keep))
	}
	if err := lockstep.Migrate(ctx, db, p.Schema.Schema(nil), opts...); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "SELECT count(*) FROM list")
	return err
}

// newProgram describes a program to other processes.
func newProgram(t *testing.T, s *lockstep.Schema, dsn string) *program {
	t.Helper()
	return &program{DSN: dsn, Schema: fixture.Store(t, s)}
}

// start starts n processes. They call Migrate when release is called, all at once.
func (p *program) start(t *testing.T, n int) (processes []*barrier.Process, release func()) {
	t.Helper()
	return barrier.Start(t, n, programVar, p)
}

// TestProofProcesses has sixteen programs start at once on one file.
func TestProofProcesses(t *testing.T) {
	const programs = 16
	runs := 1
	if *long {
		runs = 8
	}
	s := schema(t, shop, 5)
	want := contents(t, fileAt(t, shop, 5))
	for _, database := range []struct {
		name    string
		version int
	}{{"NewDatabase", 0}, {"DatabaseThatIsBehind", 2}} {
		for _, mode := range []struct {
			name string
			dsn  []string
		}{
			{"WithRollbackJournal", []string{"_pragma=busy_timeout(5000)"}},
			{"WithRollbackJournalAndNoBusyTimeout", []string{"_pragma=busy_timeout(0)"}},
			// The file has a rollback journal at first, so that all of them want to change
			// that as they connect.
			{"WithWAL", []string{"_pragma=busy_timeout(5000)", "_pragma=journal_mode(wal)"}},
			{"WithWALAndNoBusyTimeout", []string{"_pragma=busy_timeout(0)", "_pragma=journal_mode(wal)"}},
		} {
			t.Run("ShareOneUpgradeOf"+database.name+mode.name, func(t *testing.T) {
				for run := range runs {
					path := fileAt(t, shop, database.version)
					started, release := newProgram(t, s, dsn(path, mode.dsn...)).start(t, programs)
					release()
					for i, p := range started {
						if err := p.Wait(); err != nil {
							t.Errorf("run %d, program %d: %v: %s", run, i, err, &p.Stderr)
						}
					}
					if got := contents(t, path); got != want {
						t.Errorf("run %d: got\n%s\nwant\n%s", run, got, want)
					}
				}
			})
		}
	}
}

// TestProofKill kills programs as they upgrade, while another one reads.
func TestProofKill(t *testing.T) {
	rounds := 1
	if *long {
		rounds = 60
	}
	archive := strings.ReplaceAll(shop, "i < 200)", "i < 5000)")
	s := schema(t, archive, 5)
	want := contents(t, fileAt(t, archive, 5))
	look := func(version int) string {
		db := connect(t, fileAt(t, archive, version))
		defer db.Close()
		return glance(t, db)
	}
	newest := look(5)
	for _, database := range []struct {
		name    string
		version int
	}{{"NewDatabase", 0}, {"DatabaseThatIsBehind", 1}} {
		for _, journal := range []string{"delete", "wal"} {
			t.Run("ShowsOldOrNewOf"+database.name+"/"+journal, func(t *testing.T) {
				// With a small cache, much is written before the commit.
				settings := []string{"_pragma=journal_mode(" + journal + ")", "_pragma=cache_size(20)"}
				oldest := look(database.version)
				took := runToEnd(t, newProgram(t, s, dsn(fileAt(t, archive, database.version), settings...)))
				killed := 0
				for round := 0; round < rounds || killed == 0 && round < 10*rounds; round++ {
					path := fileAt(t, archive, database.version)
					p := newProgram(t, s, dsn(path, settings...))
					reader := connect(t, path, "_pragma=busy_timeout(5000)")
					stop := fixture.Watch(func() string { return glance(t, reader) })
					for range 3 {
						started, release := p.start(t, 1)
						release()
						time.Sleep(rand.N(took))
						started[0].Process.Kill()
						if started[0].Wait() != nil {
							killed++
						} else { // the machine has become faster
							took = max(took*3/4, time.Millisecond)
						}
					}
					runToEnd(t, p)
					seen := stop()
					reader.Close()
					if !slices.Equal(seen, []string{oldest, newest}) && !slices.Equal(seen, []string{newest}) {
						t.Errorf("a reader saw\n%s\nwant\n%s\n%s", strings.Join(seen, "\n"), oldest, newest)
					}
					if got := contents(t, path); got != want {
						t.Errorf("got\n%s\nwant\n%s", got, want)
					}
				}
				fmt.Printf("proof: %d programs that were killed at a random moment\n", killed)
				if killed == 0 {
					t.Error("no program was killed")
				}
			})
		}
	}
}

// runToEnd runs a program that must succeed, and returns how long that takes from
// the call of Migrate on.
func runToEnd(t *testing.T, p *program) time.Duration {
	t.Helper()
	started, release := p.start(t, 1)
	begun := time.Now()
	release()
	if err := started[0].Wait(); err != nil {
		t.Fatalf("%v: %s", err, &started[0].Stderr)
	}
	return time.Since(begun)
}

// glance returns what tells the versions of a shop's database from each other.
func glance(t *testing.T, db *sql.DB) string {
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true}) // without the lock for writing
	if err != nil {
		t.Error(err)
		return ""
	}
	defer tx.Rollback()
	objects := rows(t, tx, "SELECT count(*) FROM sqlite_master")
	if objects[0] == "0" {
		return "nothing"
	}
	return rows(t, tx, `SELECT version, (SELECT count(*) FROM sqlite_master), (SELECT count(*) FROM pragma_table_info('customers')),
	(SELECT sum(total) FROM orders), (SELECT count(*) FROM _lockstep_history), (SELECT count(*) FROM runs) FROM _meta`)[0]
}
