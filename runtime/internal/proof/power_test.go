package proof_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
)

// A lossOfPower is what must be true of each folder that a loss of power leaves.
type lossOfPower struct {
	log     *powerdisk.Log
	allowed []string // what the database may hold; the last is the newest
	damaged string   // the old file, if it is no database
	lasting bool     // what was said to be done is not lost
	inspect func(dir string, said []string) error
	restart func(path string) error // must succeed, and bring the newest
}

// faults tries crashes, and returns what is wrong after some, up to as many as most.
func (l *lossOfPower) faults(t testing.TB, s powerdisk.Sampling, tried *powerdisk.Tried, most int) (faults []string) {
	t.Helper()
	folder := newFolder(t)
	for crash := range l.log.Crashes(s, tried) {
		dir := filepath.Join(folder, fmt.Sprint(tried.Distinct))
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			err = crash.Files.WriteTo(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := l.check(dir, crash.Said); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", crash.When, err))
		}
		os.RemoveAll(dir)
		if len(faults) == most {
			break
		}
	}
	return faults
}

// check returns what is wrong with a folder that a loss of power left.
func (l *lossOfPower) check(dir string, said []string) error {
	newest := l.allowed[len(l.allowed)-1]
	path := filepath.Join(dir, "data.db")
	if l.inspect != nil {
		if err := l.inspect(dir, said); err != nil {
			return err
		}
	}
	got, err := holds(path)
	if text, e := os.ReadFile(path); l.damaged != "" && e == nil && string(text) == l.damaged {
		got, err = l.allowed[0], nil
	}
	switch {
	case err != nil:
		return err
	case !slices.Contains(l.allowed, got):
		return fmt.Errorf("the database is neither old nor new:\n%s", got)
	case l.lasting && slices.Contains(said, done) && got != newest:
		return errors.New("what was done is lost")
	}
	if err := l.restart(path); err != nil {
		return fmt.Errorf("the next start: %w", err)
	}
	if got, err := holds(path); err != nil || got != newest {
		return fmt.Errorf("after the next start: %w\n%s", err, got)
	}
	return nil
}

// done is marked when Migrate, or a command, has succeeded.
const done = "done"

// sampling is what a plain run takes, or all.
func sampling(draws, every int) powerdisk.Sampling {
	if *long {
		return powerdisk.Sampling{Seed: *seed, Draws: 16, Every: 1}
	}
	return powerdisk.Sampling{Seed: *seed, Draws: draws, Every: every}
}

// An upgradeOnDisk is an upgrade of a database on a disk that keeps a log.
type upgradeOnDisk struct {
	name     string
	archive  string
	from     int
	settings []string
	opts     []lockstep.Option
	lasting  bool // what was done is not lost
	keeps    bool // its application keeps the journal
	between  func(t testing.TB) []string
	plain    bool // also in a plain run
}

var upgradesOnDisk = []upgradeOnDisk{
	{name: "Journal", from: 1, settings: []string{"_pragma=synchronous(2)"}, plain: true},
	{name: "JournalNormal", from: 1, settings: []string{"_pragma=synchronous(1)"}},
	{name: "JournalOff", from: 1, settings: []string{"_pragma=synchronous(0)"}},
	{name: "JournalExtra", from: 1, settings: []string{"_pragma=synchronous(3)"}, lasting: true},
	{name: "JournalNew", settings: []string{"_pragma=synchronous(2)"}},
	{name: "JournalSpills", from: 1, settings: []string{"_pragma=cache_size(5)"}, plain: true},
	{name: "JournalTruncated", from: 1, keeps: true, settings: []string{"_pragma=journal_mode(truncate)", "_pragma=cache_size(5)"}},
	{name: "JournalPersists", from: 1, keeps: true, settings: []string{"_pragma=journal_mode(persist)", "_pragma=cache_size(5)"}},
	{name: "JournalInMemory", from: 1, settings: []string{"_pragma=journal_mode(memory)"}},
	{name: "JournalIsOff", from: 1, settings: []string{"_pragma=journal_mode(off)"}},
	{name: "WAL", from: 1, settings: []string{"_pragma=journal_mode(wal)", "_pragma=synchronous(2)"}, lasting: true, plain: true},
	{name: "WALNormal", from: 1, settings: []string{"_pragma=journal_mode(wal)", "_pragma=synchronous(1)"}, lasting: true},
	{name: "WALNew", settings: []string{"_pragma=journal_mode(wal)"}, lasting: true},
	{name: "WALSpills", from: 1, settings: []string{"_pragma=journal_mode(wal)", "_pragma=cache_size(5)", "_pragma=wal_autocheckpoint(3)"}, lasting: true},
	{name: "PerMigration", from: 1, opts: []lockstep.Option{lockstep.WithPerMigration()}, between: versions},
	{name: "PerMigrationWAL", from: 1, settings: []string{"_pragma=journal_mode(wal)"}, opts: []lockstep.Option{lockstep.WithPerMigration()},
		between: versions, lasting: true},
	{name: "NoTransaction", archive: alone, from: 1, between: aloneBetween},
	{name: "NoTransactionWAL", archive: alone, from: 1, settings: []string{"_pragma=journal_mode(wal)"}, between: aloneBetween},
}

// versions returns what the databases of the versions between 1 and 4 hold.
func versions(t testing.TB) (all []string) {
	for n := 2; n < 4; n++ {
		all = append(all, must(t)(holds(databaseAt(t, newFolder(t), shop, n))))
	}
	return all
}

// alone is an upgrade with a migration outside of a transaction, which may run again.
var alone = strings.NewReplacer(`-- 0002-index.sql --
CREATE INDEX`, `-- 0002-index.sql --
-- lockstep: no-transaction
VACUUM;
CREATE INDEX IF NOT EXISTS`, `INSERT INTO runs VALUES (2)`, `INSERT INTO runs SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM runs WHERE migration = 2)`).Replace(shop)

// aloneBetween returns what the database holds while that migration runs, and the states
// between that the upgrade has on purpose.
func aloneBetween(t testing.TB) []string {
	path := databaseAt(t, newFolder(t), alone, 1)
	db, err := sql.Open("sqlite3", dsn(path, unsynced))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var between []string
	for _, q := range []string{"CREATE INDEX orders_by_customer ON orders (customer, total)", "INSERT INTO runs VALUES (2)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
		between = append(between, must(t)(holds(path)))
	}
	return append(between, must(t)(holds(databaseAt(t, newFolder(t), alone, 2))))
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// record runs the upgrade once, with the driver of open, and returns what must be true of it.
func (u *upgradeOnDisk) record(t testing.TB, open func(name string) *sql.DB) *lossOfPower {
	t.Helper()
	if u.archive == "" {
		u.archive = shop
	}
	dir := newFolder(t)
	path := databaseAt(t, dir, u.archive, u.from)
	old := must(t)(holds(path))
	newest := must(t)(holds(databaseAt(t, newFolder(t), u.archive, 4)))
	disk, unregister := faultvfs.Register(t.Name())
	defer unregister()
	log, err := powerdisk.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	disk.Log = log
	s := schemaOf(t, u.archive, 4)
	db := open(dsn(path, append(u.settings, "vfs="+t.Name())...))
	if err = lockstep.Migrate(t.Context(), db, s, u.opts...); err == nil {
		log.Mark(done)
	} else {
		log.Mark(err.Error()) // a lockstep that is broken on purpose
	}
	db.Close()
	if err == nil {
		if got := must(t)(holds(path)); got != newest && open == nil {
			t.Fatalf("got\n%s\nwant\n%s", got, newest)
		}
	}
	l := &lossOfPower{log: log, allowed: []string{old}, lasting: u.lasting,
		restart: func(path string) error {
			err := migrate(t, path, s, []string{unsynced}, u.opts...)
			if err == nil && !u.keeps {
				err = leavesNothing(path)
			}
			return err
		}}
	if u.between != nil {
		l.allowed = append(l.allowed, u.between(t)...)
	}
	l.allowed = append(l.allowed, newest)
	return l
}

// leavesNothing returns an error if something was left beside the database.
func leavesNothing(path string) error {
	if got := beside(path); got != "data.db" {
		return fmt.Errorf("beside the database is %s", got)
	}
	return nil
}

func ncruces(t testing.TB) func(name string) *sql.DB {
	return func(name string) *sql.DB {
		db, err := sql.Open("sqlite3", name)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
}

// TestProofLossOfPower has the machine die during upgrades.
func TestProofLossOfPower(t *testing.T) {
	for _, u := range upgradesOnDisk {
		if !*long && !u.plain {
			continue
		}
		t.Run("LeavesOldOrNewOf"+u.name, func(t *testing.T) {
			l := u.record(t, ncruces(t))
			var n powerdisk.Tried
			for _, fault := range l.faults(t, sampling(2, 0), &n, 10) {
				t.Error(fault)
			}
			if t.Failed() {
				t.Logf("\n%s", l.log)
			}
			t.Logf("%+v", n)
			countCrashes(n)
		})
	}
}

func countCrashes(n powerdisk.Tried) {
	tried.add("moments at which the power was lost", n.Points)
	tried.add("draws of what survived", n.Crashes)
	tried.add("of them, different in what was on the disk", n.Distinct)
}
