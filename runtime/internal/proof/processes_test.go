package proof_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestProofMixedProcesses has programs start at once on one database that are of two releases
// and have three drivers, and kills some.
func TestProofMixedProcesses(t *testing.T) {
	rounds, drivers := 2, []string{"ncruces"}
	others := ""
	if *long {
		rounds = 60
		others = filepath.Join(t.TempDir(), "others.test")
		build := exec.Command("go", "test", "-c", "-o", others, ".")
		build.Dir = filepath.Join("..", "..", "drivertest")
		if out, err := build.CombinedOutput(); err != nil {
			t.Logf("with one driver, since the others do not build: %v: %s", err, out)
		} else {
			drivers = append(drivers, "sqlite3", "sqlite")
		}
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	for round := range rounds {
		journal := []string{"delete", "wal"}[round%2]
		settings := []string{"_pragma=journal_mode(" + journal + ")"}
		archive, drivers := shop, drivers
		switch round % 3 {
		case 1:
			archive = byGo
		case 2: // the other drivers have no scripts
			archive, drivers = byScript, drivers[:1]
		}
		last := schemaOf(t, archive, all)
		newest := must(t)(holds(databaseAt(t, newFolder(t), archive, all)))
		path := databaseAt(t, newFolder(t), archive, 1, settings...)
		releases := []*program{newProgram(t, schemaOf(t, archive, 3), path), newProgram(t, last, path)}
		var started []*mixed
		for i := range 16 {
			m := &mixed{release: i % 2, driver: drivers[i%len(drivers)], killed: i%4 == 3}
			m.cmd = releases[m.release].command(t)
			if m.driver != "ncruces" {
				m.cmd = exec.Command(others)
				m.cmd.Env = append(os.Environ(), programVar+"="+releases[m.release].as(t, m.driver))
			}
			m.cmd.Stderr = &m.stderr
			if err := m.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			started = append(started, m)
		}
		for _, m := range started {
			if m.killed {
				time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
				m.cmd.Process.Kill()
				tried.add("programs that were killed at a random moment", 1)
			}
		}
		for _, m := range started {
			err := m.cmd.Wait()
			isAhead := m.release == 0 && strings.HasSuffix(m.stderr.String(), fmt.Sprintf("at version %v, this program expects 0003: written by a newer program, not opened\n", last.Expected))
			if err != nil && !m.killed && !isAhead {
				t.Errorf("round %d, %s, release %d, %s: %v: %s", round, journal, m.release, m.driver, err, &m.stderr)
			}
		}
		if err := releases[1].run(false); err != nil {
			t.Errorf("round %d: the next start: %v", round, err)
		}
		if got, err := holds(path); err != nil || got != newest {
			t.Errorf("round %d: %v\n%s", round, err, got)
		}
		if got := beside(path); got != "data.db" {
			t.Errorf("round %d: beside the database is %s", round, got)
		}
		tried.add("programs that started with others", len(started))
	}
}

// mixed is one of them.
type mixed struct {
	release int
	driver  string
	killed  bool
	cmd     *exec.Cmd
	stderr  bytes.Buffer
}

// as describes the program to the tests of the other drivers.
func (p *program) as(t testing.TB, driver string) string {
	t.Helper()
	name := "file:" + p.Path + "?_busy_timeout=5000" // of mattn's
	if driver == "sqlite" {
		name = "file:" + p.Path + "?_pragma=busy_timeout(5000)"
	}
	text, err := json.Marshal(map[string]any{"Driver": driver, "DSN": name, "Schema": p.Schema})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startsAtOnce has n pools migrate one database at the same time, and returns their errors.
func startsAtOnce(t testing.TB, n int, open func(name string) *sql.DB) error {
	t.Helper()
	path := databaseAt(t, newFolder(t), shop, 1)
	s := schemaOf(t, shop, 4)
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			db := open(dsn(path, unsynced, "_pragma=busy_timeout(5000)"))
			defer db.Close()
			failed[i] = lockstep.Migrate(t.Context(), db, s)
		})
	}
	all.Wait()
	got, err := holds(path)
	if want := must(t)(holds(databaseAt(t, newFolder(t), shop, 4))); err == nil && got != want {
		err = fmt.Errorf("got\n%s", got)
	}
	return errors.Join(append(failed, err)...)
}

// TestProofNoticesPlansWithoutALock takes the lock only when something is to be written.
func TestProofNoticesPlansWithoutALock(t *testing.T) {
	const n = 2
	if err := startsAtOnce(t, n, func(name string) *sql.DB { return open(name, "") }); err != nil {
		t.Fatal(err)
	}
	var planned sync.WaitGroup
	planned.Add(n)
	err := startsAtOnce(t, n, func(name string) *sql.DB {
		wants := false
		return mutation(func(q string) []string {
			switch {
			case q == "BEGIN IMMEDIATE":
				wants = true
				return nil
			case wants && !strings.HasPrefix(q, "PRAGMA"):
				wants = false
				planned.Done()
				planned.Wait() // all have read the version
				return []string{"BEGIN IMMEDIATE", q}
			}
			return []string{q}
		}).open(name)
	})
	if err == nil {
		t.Error("noticed nothing")
	} else {
		t.Logf("%.200v", err)
	}
}
