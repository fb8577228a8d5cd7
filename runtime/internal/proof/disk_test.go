package proof_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
)

// A diskFault is what becomes of an operation of the disk, and of those after it.
type diskFault struct {
	claim  string
	fault  faultvfs.Fault
	mended bool // before the pool is looked at
}

var diskFaults = []diskFault{
	{"OneOperationFails", faultvfs.Fault{Ops: faultvfs.Changes, Code: sqlite3.IOERR}, true},
	{"OneOperationFindsNoSpace", faultvfs.Fault{Ops: faultvfs.Changes, Code: sqlite3.FULL}, true},
	{"AllOperationsFailForAWhile", faultvfs.Fault{Ops: faultvfs.Changes, Lasting: true, Code: sqlite3.IOERR}, true},
	{"AllOperationsFailForGood", faultvfs.Fault{Ops: faultvfs.Changes, Lasting: true, Code: sqlite3.IOERR}, false},
	{"AnOperationFailsThatWasDone", faultvfs.Fault{Ops: faultvfs.Changes, Late: true, Code: sqlite3.IOERR}, true},
	{"AllOperationsFailThatWereDone", faultvfs.Fault{Ops: faultvfs.Changes, Late: true, Lasting: true, Code: sqlite3.IOERR}, false},
	{"OneReadFails", faultvfs.Fault{Ops: faultvfs.Reads, Code: sqlite3.IOERR}, true},
	{"AllReadsFailForAWhile", faultvfs.Fault{Ops: faultvfs.Reads, Lasting: true, Code: sqlite3.IOERR}, true},
	{"OneLockFails", faultvfs.Fault{Ops: faultvfs.Locks, Code: sqlite3.IOERR}, true},
	{"AllLocksFailForAWhile", faultvfs.Fault{Ops: faultvfs.Locks, Lasting: true, Code: sqlite3.IOERR}, true},
	{"ALockFailsThatWasTakenOrGivenBack", faultvfs.Fault{Ops: faultvfs.Locks, Late: true, Code: sqlite3.IOERR}, true},
	{"TheContextEndsAtAnOperation", faultvfs.Fault{Ops: faultvfs.Changes | faultvfs.Reads | faultvfs.Locks, Instead: func() {}}, true},
	{"AllLocksFailForGood", faultvfs.Fault{Ops: faultvfs.Locks, Lasting: true, Code: sqlite3.IOERR}, false},
}

// upgradesOnFailingDisk are all kinds of upgrades: with a cache that holds all and with one
// that spills into the file before the commit, in one transaction and in others, and of
// databases in which somebody made what a migration refuses, loses or takes along.
func upgradesOnFailingDisk() (us []upgradeOnDisk) {
	const extra = "ALTER TABLE customers ADD COLUMN extra; UPDATE customers SET extra = 'x'"
	for _, u := range []upgradeOnDisk{
		{name: "New", settings: []string{spills}},
		{name: "Behind", from: 1, settings: []string{spills}},
		{name: "NewInMemory"},
		{name: "BehindInMemory", from: 1},
		{name: "PerMigration", from: 1, opts: []lockstep.Option{lockstep.WithPerMigration()}, between: versions(shop)},
		{name: "NoTransaction", archive: alone, from: 1, between: aloneBetween},
		{name: "InGo", archive: byGo, from: 1},
		{name: "OfRowsThatViolateAConstraint", archive: unique, from: 1, made: "INSERT INTO customers VALUES (21, 'customer 1')", refused: "UNIQUE constraint failed: customers.name"},
		{name: "OfRowsWithoutAParent", archive: orphaning, from: 1, made: "INSERT INTO customers VALUES (21, 'new'); INSERT INTO orders VALUES (82, 21, 1, '')", refused: "without a parent"},
		{name: "OfAColumnThatNoMigrationMade", from: 1, made: extra, refused: "loses what no migration made"},
		{name: "OfRowsThatHadNoParent", archive: unique, from: 1, settings: []string{spills}, made: "PRAGMA foreign_keys = 0; INSERT INTO orders VALUES (82, 99, 1, ''), (83, 98, 1, '')"},
		{name: "WithBackup", from: 1, opts: []lockstep.Option{lockstep.WithBackup(2)}, saves: true},
		{name: "Enroll", from: all, made: "DROP TABLE _meta; DROP TABLE _lockstep_history", do: enroll},
		{name: "OfNothingButTheCookie", from: all, made: "CREATE TABLE more (a)"},
		{name: "OfAnIndexThatNoMigrationMade", from: 1, made: "CREATE INDEX extra ON customers (name)"},
		{name: "Check", from: all, do: check},
		{name: "CheckOfOneBehind", from: 1, do: check, refused: "pending"},
		{name: "CheckTx", from: all, do: checkTx, quiet: true},
		{name: "CheckTxOfOneAhead", from: all, made: "UPDATE _meta SET version = 9", do: checkTx, quiet: true, refused: "upgraded by a newer program"},
		{name: "InspectOfOneBehind", from: 1, do: inspect, refused: "pending"},
		{name: "InspectOfANewOne", from: 0, do: inspect, refused: "pending"},
		{name: "OfOneAhead", from: all, made: "UPDATE _meta SET version = 9", refused: "written by a newer program"},
		{name: "OfOneThatDiverged", from: 3, made: "UPDATE _lockstep_history SET checksum = 'x' WHERE version = 2", refused: "with different contents"},
		{name: "OfOneThatDrifted", from: all, made: "DROP INDEX orders_by_customer", refused: "orders_by_customer"},
		{name: "OfAnothers", from: all, made: "DROP TABLE _meta; DROP TABLE _lockstep_history", refused: "no version"},
	} {
		for _, journal := range []string{"delete", "wal", "truncate"} {
			if journal == "truncate" && (u.do != nil || u.archive != "" || u.made != "" || u.opts != nil) {
				continue
			}
			u := u
			u.name += "/" + journal
			u.keeps = journal == "truncate"
			u.settings = append([]string{"_pragma=journal_mode(" + journal + ")"}, u.settings...)
			us = append(us, u)
		}
	}
	return us
}

// enroll is what programs do that may have done it before.
func enroll(ctx context.Context, db *sql.DB, s *lockstep.Schema, opts ...lockstep.Option) error {
	err := lockstep.Enroll(ctx, db, s, opts...)
	if errors.Is(err, lockstep.ErrManaged) {
		err = lockstep.Check(ctx, db, s)
	}
	return err
}

func check(ctx context.Context, db *sql.DB, s *lockstep.Schema, opts ...lockstep.Option) error {
	return lockstep.Check(ctx, db, s, opts...)
}

func checkTx(ctx context.Context, db *sql.DB, s *lockstep.Schema, _ ...lockstep.Option) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return lockstep.CheckTx(ctx, tx, s)
}

func inspect(ctx context.Context, db *sql.DB, s *lockstep.Schema, opts ...lockstep.Option) error {
	state, err := lockstep.Inspect(ctx, db, s, opts...)
	if err == nil {
		err = state.Refusal
	}
	return err
}

// These are shop, but for a last migration that fails on some databases.
var (
	unique    = strings.Replace(shop, "-- 0004-raise.sql --", "-- 0004-unique.sql --\nCREATE UNIQUE INDEX names ON customers (name);", 1)
	orphaning = strings.Replace(shop, "-- 0004-raise.sql --", "-- 0004-orphans.sql --\nDELETE FROM customers WHERE id > 20;", 1)
)

// TestProofFailingDisk lets each operation of an upgrade fail in turn: afterwards the database
// is what it was or what it was to become, no connection of the pool is left in another state,
// and the next start does what it would have done.
func TestProofFailingDisk(t *testing.T) {
	for i, f := range diskFaults {
		t.Run("LeavesOldOrNewWhen"+f.claim, func(t *testing.T) {
			for n, of := range upgradesOnFailingDisk() {
				every := 0
				if f.claim == "OneReadFails" && of.made != "" && strings.HasSuffix(of.name, "/delete") && !*long {
					every = 8 // what is read of the rows is read within the upgrade
				} else if !*long && (i+n)%19 != 0 && !(of.saves && f.claim == "AllOperationsFailForGood") { // upgrades take turns
					continue
				}
				t.Run(of.name, func(t *testing.T) {
					t.Parallel()
					u := of.begin(t, "")
					for fault := range u.suffers(t, f, every) {
						t.Error(fault)
					}
				})
			}
		})
	}
}

func TestProofFullDisk(t *testing.T) {
	t.Run("LeavesOldOrNewWhereverItIsFull", func(t *testing.T) {
		for n, of := range upgradesOnFailingDisk() {
			if !*long && n%19 != 0 && of.name != "WithBackup/delete" {
				continue
			}
			t.Run(of.name, func(t *testing.T) {
				t.Parallel()
				u := of.begin(t, "")
				const unit = 1000
				for n := range sample(u.peak/unit, 0) {
					if err := u.try(t, func() { u.disk.Fill(int64(n * unit)) }, true); err != nil {
						t.Errorf("there is room for %d bytes: %v", n*unit, err)
					}
				}
			})
		}
	})
}

// TestProofNoticesFailingDisks has a lockstep suffer that is broken.
func TestProofNoticesFailingDisks(t *testing.T) {
	for broken, claims := range map[string][]string{
		"does not notice that a COMMIT fails":           {"OneOperationFails", "AllOperationsFailForGood"},
		"writes the version outside of the transaction": {"OneOperationFails", "AllOperationsFailForAWhile", "AllReadsFailForAWhile"},
		"has no journal":                {"OneOperationFails", "OneOperationFindsNoSpace", "AllOperationsFailForGood"},
		"does not roll an upgrade back": {"OneOperationFindsNoSpace"},
	} {
		for _, claim := range claims {
			t.Run(strings.ReplaceAll(broken, " ", "_")+"/"+claim, func(t *testing.T) {
				// (A connection on which foreign_keys cannot be restored does not go back to the pool.)
				of := upgradeOnDisk{from: 1, settings: []string{spills, "_pragma=foreign_keys(0)"}}
				u := of.begin(t, broken)
				f := diskFaults[slices.IndexFunc(diskFaults, func(f diskFault) bool { return f.claim == claim })]
				for fault := range u.suffers(t, f, 3) {
					t.Logf("%.200s", fault)
					return
				}
				t.Error("noticed nothing")
			})
		}
	}
}

// interrupted is an upgrade that can be tried again and again.
type interrupted struct {
	*upgradeOnDisk
	disk      *faultvfs.Disk
	vfs       string
	broken    string // the name of a mutation
	schema    *lockstep.Schema
	path      string
	file      []byte   // of the old database; nil for none
	allowed   []string // what the database may hold; the first is the oldest, the last the newest
	refusal   string   // what Migrate returns if nothing fails
	conns     string   // the settings of each connection
	counts    map[faultvfs.Op]int
	refusedAt map[faultvfs.Op]int // what was counted when a statement was refused; nil if none was
	peak      int

	said   string // by the last Migrate
	cancel func() // ends its context
}

// begin makes the old database, and finds out what becomes of it.
func (of *upgradeOnDisk) begin(t testing.TB, broken string) *interrupted {
	t.Helper()
	of.archive = cmp.Or(of.archive, shop)
	if of.do == nil {
		of.do = lockstep.Migrate
	}
	u := &interrupted{upgradeOnDisk: of, vfs: t.Name(), broken: broken, schema: schemaOf(t, of.archive, all)}
	var unregister func()
	u.disk, unregister = faultvfs.Register(u.vfs)
	t.Cleanup(unregister)
	u.path = databaseAt(t, newFolder(t), of.archive, of.from, of.settings...)
	if of.made != "" {
		db := open(dsn(u.path, unsynced), "")
		_, err := db.Exec(of.made)
		db.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	u.file, _ = os.ReadFile(u.path)
	u.allowed = []string{must(t)(holds(u.path))}
	if of.between != nil {
		u.allowed = append(u.allowed, of.between(t)...)
	}
	u.prepare(t)
	db := u.open(func(error) { u.refusedAt = u.disk.Counts() })
	defer db.Close()
	err := u.do(t.Context(), db, u.schema, u.opts...)
	if u.refusal = fmt.Sprint(err); (err != nil) != (of.refused != "") || !strings.Contains(u.refusal, of.refused) {
		t.Fatal(err)
	}
	u.conns = settings(t, db)
	db.Close()
	u.counts, u.peak = u.disk.Counts(), int(u.disk.Peak())
	u.allowed = append(u.allowed, must(t)(holds(u.path)))
	u.broken = broken
	return u
}

// open opens a pool on the disk. refused, if it is not nil, is told the errors of statements.
func (u *interrupted) open(refused func(error)) *sql.DB {
	name := dsn(u.path, append([]string{"vfs=" + u.vfs, "_pragma=busy_timeout(0)"}, u.settings...)...)
	if refused != nil {
		return sql.OpenDB(mutant{name: name, mutate: without(""), failed: refused})
	}
	return open(name, u.broken)
}

// count returns how many operations of these kinds are among those that were counted.
func count(counts map[faultvfs.Op]int, set faultvfs.Ops) (n int) {
	for op, count := range counts {
		if set&(1<<op) != 0 {
			n += count
		}
	}
	return n
}

// sample yields 1 to n and one more, each of so many, with all of the last, which are the
// commit. Of 0, it is all in a long run, and otherwise a few.
func sample(n, every int) iter.Seq[int] {
	if every == 0 && *long {
		every = 1
	}
	every = cmp.Or(every, n/3, 1)
	return func(yield func(int) bool) {
		for i := 1; i <= n+1; i++ {
			if (i == 1 || i > n-3 || i%every == 0) && !yield(i) {
				return
			}
		}
	}
}

// prepare puts the old database in its place, on a disk that is in order.
func (u *interrupted) prepare(t testing.TB) {
	t.Helper()
	left, _ := filepath.Glob(u.path + "*")
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if u.file != nil {
		if err := os.WriteFile(u.path, u.file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u.disk.Heal()
}

// suffers does the upgrade again and again, with a fault at one operation after the other, each
// of so many, and yields what is wrong afterwards.
func (u *interrupted) suffers(t testing.TB, f diskFault, every int) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := count(u.counts, f.fault.Ops)
		if f.fault.Instead != nil {
			f.fault.Instead = func() { u.cancel() }
		}
		for at := range sample(n, every) {
			f.fault.At = at
			err := u.try(t, func() { u.disk.Fail(f.fault) }, f.mended && !u.quiet)
			if err == nil && u.refusedAt != nil && at > count(u.refusedAt, f.fault.Ops) && !strings.Contains(u.said, u.refused) {
				err = fmt.Errorf("what SQLite said first is not in %s", u.said)
			}
			if err != nil && !yield(fmt.Sprintf("operation %d of %d: %v", at, n, err)) {
				return
			}
		}
	}
}

// try does the upgrade while operations fail, and returns what is wrong with what it left or
// with the next start.
func (u *interrupted) try(t testing.TB, fail func(), mended bool) error {
	u.prepare(t)
	fail()
	db := u.open(nil)
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u.cancel = cancel
	err := u.do(ctx, db, u.schema, u.opts...)
	u.said = fmt.Sprint(err)
	failed := u.disk.Failed()
	if failed > 0 {
		tried.add("upgrades during which an operation of the disk failed", 1)
	}
	var wrong error
	if mended {
		u.disk.Heal()
		if got := settings(t, db); got != u.conns {
			wrong = fmt.Errorf("the pool has connections with the settings\n%s\nwant\n%s", got, u.conns)
		}
	}
	db.Close()
	u.disk.Heal()

	got, damage := holds(u.path)
	old, newest := u.allowed[0], u.allowed[len(u.allowed)-1]
	isFault := slices.ContainsFunc([]string{"disk I/O error", "disk is full", "unable to open database", "interrupted", "context canceled"},
		func(says string) bool { return strings.Contains(u.said, says) })
	var e *lockstep.MigrationError
	switch {
	case wrong != nil:
	case damage != nil:
		wrong = damage
	case !slices.Contains(u.allowed, got):
		wrong = fmt.Errorf("the database is neither old nor new:\n%s", got)
	case u.refused != "" && u.said != u.refusal && !(failed > 0 && err != nil && (isFault || strings.Contains(u.said, u.refused))):
		wrong = fmt.Errorf("want %s", u.refusal)
	case u.refused != "":
	case err == nil && got != newest:
		wrong = errors.New("Migrate succeeded, and the database is old")
	case errors.As(err, &e) && e.RolledBack && (got == newest || got != old && u.between == nil):
		wrong = errors.New("the database is new")
	case errors.As(err, &e) && !e.RolledBack && failed == 1 && slices.Contains(u.settings, "_pragma=journal_mode(wal)"):
		// The WAL may hold the commit, and the error says so.
	case err != nil && got == newest && got != old && failed == 1: // so that it could be read
		wrong = errors.New("the database is new")
	case err != nil && failed == 0:
		wrong = errors.New("nothing failed")
	case err != nil && !isFault:
		wrong = errors.New("that is not what failed")
	}
	if wrong == nil && u.saves {
		wrong = u.saved(err, got)
	}
	if wrong == nil {
		wrong = u.restart(t)
	}
	if wrong != nil {
		wrong = fmt.Errorf("after %s: %w", u.said, wrong)
	}
	return wrong
}

// saved returns an error if what has the name of a backup is none, if an upgrade ran without
// one or an error does not name it.
func (u *interrupted) saved(err error, got string) error {
	backups, e := lockstep.Backups(u.path)
	for _, b := range backups {
		if got, err := holds(b.Path); err != nil || got != u.allowed[0] {
			e = fmt.Errorf("the backup is not the old database: %w\n%s", err, got)
		}
	}
	parts, _ := filepath.Glob(u.path + "*-part")
	switch n := len(backups); {
	case e != nil:
		return e
	case len(parts) > 0:
		return fmt.Errorf("left is %s", parts)
	case n == 0 && (err == nil || got != u.allowed[0]):
		return errors.New("no backup")
	case n > 0 && errors.Is(err, lockstep.ErrBackup):
		return errors.New("a backup")
	case n > 0 && err != nil && !strings.Contains(err.Error(), backups[0].Path):
		return errors.New("the backup is not named")
	}
	for _, b := range backups {
		e = errors.Join(e, os.Remove(b.Path))
	}
	return e
}

// restart returns an error if the next start does not do what it would have done.
func (u *interrupted) restart(t testing.TB) error {
	db := u.open(nil)
	err := u.do(t.Context(), db, u.schema, u.opts...)
	db.Close()
	if got := fmt.Sprint(err); got != u.refusal {
		return fmt.Errorf("the next start: got %s, want %s", got, u.refusal)
	}
	if got, err := holds(u.path); err != nil || got != u.allowed[len(u.allowed)-1] {
		return fmt.Errorf("after the next start: %w\n%s", err, got)
	}
	if u.keeps || u.saves {
		return nil
	}
	return leavesNothing(u.path)
}

// settings returns the settings that migrations can change of each of three connections of a
// pool, and whether a transaction is open on one, or what else is wrong.
func settings(t testing.TB, db *sql.DB) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var conns []*sql.Conn
	for range 3 {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	var all []string
	for _, conn := range conns {
		var b strings.Builder
		for _, pragma := range []string{
			"foreign_keys", "defer_foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints",
			"writable_schema", "busy_timeout", "query_only",
		} {
			var value string
			if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
				value = err.Error()
			}
			b.WriteString(pragma + "=" + value + " ")
		}
		for _, q := range []string{"BEGIN", "ROLLBACK"} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				b.WriteString(err.Error())
			}
		}
		all = append(all, b.String())
	}
	return strings.Join(slices.Compact(all), "\n")
}
