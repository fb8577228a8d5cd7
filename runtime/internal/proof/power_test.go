package proof_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

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
	plain    bool                                                                       // also in a plain run
	made     string                                                                     // by somebody else, in the old database
	refused  string                                                                     // says Migrate, for that
	do       func(context.Context, *sql.DB, *lockstep.Schema, ...lockstep.Option) error // nil for Migrate
	quiet    bool                                                                       // the pool is not looked at: a lock may be kept until its connection is used
	saves    bool                                                                       // it makes a backup
}

const spills = "_pragma=cache_size(5)" // pages are written before the commit

// upgradesOnDisk are all kinds of upgrades, with all journals, each with synchronous FULL and
// NORMAL, and more.
func upgradesOnDisk() (us []upgradeOnDisk) {
	for _, journal := range []string{"delete", "wal"} {
		for _, level := range []string{"normal", "full"} {
			for _, u := range []upgradeOnDisk{
				{name: "Upgrade", plain: level == "full"},
				{name: "Spilling", settings: []string{spills, "_pragma=wal_autocheckpoint(3)"}, plain: level == "full" && journal == "delete"},
				{name: "PerMigration", opts: []lockstep.Option{lockstep.WithPerMigration()}, between: versions(shop)},
				{name: "NoTransaction", archive: alone, between: aloneBetween},
				{name: "InGo", archive: byGo},
				{name: "InGoSpilling", archive: byGo, settings: []string{spills}},
			} {
				u.name += "/" + journal + "/" + level
				u.from, u.lasting = 1, journal == "wal" && u.archive != alone
				u.settings = append(u.settings, "_pragma=journal_mode("+journal+")", "_pragma=synchronous("+level+")")
				us = append(us, u)
			}
		}
	}
	return append(us,
		upgradeOnDisk{name: "New/delete"},
		upgradeOnDisk{name: "New/wal", settings: []string{"_pragma=journal_mode(wal)"}, lasting: true},
		upgradeOnDisk{name: "Off", from: 1, settings: []string{unsynced}},
		upgradeOnDisk{name: "Extra", from: 1, settings: []string{"_pragma=synchronous(3)"}, lasting: true},
		upgradeOnDisk{name: "truncate", from: 1, keeps: true, settings: []string{"_pragma=journal_mode(truncate)", spills}},
		upgradeOnDisk{name: "persist", from: 1, keeps: true, settings: []string{"_pragma=journal_mode(persist)", spills}},
		upgradeOnDisk{name: "memory", from: 1, settings: []string{"_pragma=journal_mode(memory)"}},
		upgradeOnDisk{name: "off", from: 1, settings: []string{"_pragma=journal_mode(off)"}},
	)
}

// versions returns what the databases of the versions between the first and the last hold.
func versions(archive string) func(t testing.TB) []string {
	return func(t testing.TB) (between []string) {
		for n := 2; n < len(txtar.Parse([]byte(archive)).Files); n++ {
			between = append(between, must(t)(holds(databaseAt(t, newFolder(t), archive, n))))
		}
		return between
	}
}

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

// record runs the upgrade once, as it is or with a mutation, and returns what must be true of it.
func (u *upgradeOnDisk) record(t testing.TB, broken string) *lossOfPower {
	t.Helper()
	if u.archive == "" {
		u.archive = shop
	}
	dir := newFolder(t)
	path := databaseAt(t, dir, u.archive, u.from)
	old := must(t)(holds(path))
	newest := must(t)(holds(databaseAt(t, newFolder(t), u.archive, all)))
	disk, unregister := faultvfs.Register(t.Name())
	defer unregister()
	log, err := powerdisk.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	disk.Log = log
	s := schemaOf(t, u.archive, all)
	db := open(dsn(path, append(u.settings, "vfs="+t.Name())...), broken)
	if err = lockstep.Migrate(t.Context(), db, s, u.opts...); err == nil {
		log.Mark(done)
	} else {
		log.Mark(err.Error()) // a lockstep that is broken on purpose
	}
	db.Close()
	if err == nil && broken == "" {
		if got := must(t)(holds(path)); got != newest {
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

// TestProofLossOfPower has the machine die during upgrades.
func TestProofLossOfPower(t *testing.T) {
	for _, u := range upgradesOnDisk() {
		if !*long && !u.plain {
			continue
		}
		t.Run("LeavesOldOrNew/"+u.name, func(t *testing.T) {
			t.Parallel()
			l := u.record(t, "")
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
