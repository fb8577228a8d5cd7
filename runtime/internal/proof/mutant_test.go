package proof_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	ncrucesdriver "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
)

// A mutation makes another lockstep of this one: it has the driver execute other statements
// than those that it is given.
type mutation func(q string) []string

// mutations are those that programs can have.
var mutations = map[string]mutation{
	"writes the version outside of the transaction": func(q string) []string {
		if strings.HasPrefix(q, "UPDATE main._meta") {
			return []string{"COMMIT", q, "BEGIN"}
		}
		return []string{q}
	},
	"does not notice that a COMMIT fails": func(q string) []string {
		if q == "COMMIT" {
			return []string{"try COMMIT"}
		}
		return []string{q}
	},
	"leaves foreign keys on": without("PRAGMA foreign_keys = 0"),
	"leaves synchronous off": without("PRAGMA synchronous = 2"),
	"does not roll an upgrade back": func() mutation {
		begun := false
		return func(q string) []string {
			begun = begun && q != "COMMIT" && q != "BEGIN" || q == "BEGIN IMMEDIATE"
			if q == "ROLLBACK" && begun {
				return nil
			}
			return []string{q}
		}
	}(),
	"has no journal": func(q string) []string {
		if q == "BEGIN IMMEDIATE" {
			return []string{"PRAGMA journal_mode = off", q}
		}
		return []string{q}
	},
}

// without executes all statements but one.
func without(left string) mutation {
	return func(q string) []string {
		if q == left {
			return nil
		}
		return []string{q}
	}
}

// open opens a pool, as it is or with a mutation.
func open(name, broken string) *sql.DB {
	if broken != "" {
		return mutations[broken].open(name)
	}
	db, err := sql.Open("sqlite3", name)
	if err != nil {
		panic(err) // the driver is not linked
	}
	return db
}

// open opens a pool whose driver executes other statements.
func (m mutation) open(name string) *sql.DB { return sql.OpenDB(mutant{name: name, mutate: m}) }

type mutant struct {
	name   string
	mutate mutation
	failed func(error)    // is told the errors of statements, unless it is nil
	seen   func(q string) // is told each that is executed, unless it is nil
}

func (m mutant) Driver() driver.Driver { return &ncrucesdriver.SQLite{} }

func (m mutant) Connect(context.Context) (driver.Conn, error) {
	conn, err := m.Driver().Open(m.name)
	return mutantConn{conn, m}, err
}

type mutantConn struct {
	driver.Conn
	mutant
}

func (c mutantConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	if c.seen != nil {
		c.seen(q)
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q)
}

func (c mutantConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (result driver.Result, err error) {
	result = driver.RowsAffected(0)
	for _, instead := range c.mutate(q) {
		instead, ignored := strings.CutPrefix(instead, "try ")
		given := args
		if instead != q {
			given = nil
		}
		s, err := c.PrepareContext(ctx, instead)
		if err != nil {
			return nil, err
		}
		result, err = s.(driver.StmtExecContext).ExecContext(ctx, given)
		s.Close()
		if err != nil && c.failed != nil {
			c.failed(err)
		}
		if err != nil && !ignored {
			return nil, err
		}
	}
	return result, nil
}

func (c mutantConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

// notices fails the test if a loss of power does no harm.
func (l *lossOfPower) notices(t *testing.T) {
	t.Helper()
	var n powerdisk.Tried
	if faults := l.faults(t, powerdisk.Sampling{Seed: *seed, Draws: 10}, &n, 1); len(faults) == 0 {
		t.Errorf("noticed nothing: %+v\n%s", n, l.log)
	} else {
		t.Logf("%.200s", faults[0])
	}
}

// TestProofNoticesLossOfPower has power lost on a lockstep that cannot stand it.
func TestProofNoticesLossOfPower(t *testing.T) {
	for _, settings := range [][]string{nil, {"_pragma=journal_mode(wal)"}} {
		u := &upgradeOnDisk{from: 1}
		name := strings.Repeat("WAL", len(settings))
		t.Run("ThatSynchronizesNothing"+name, func(t *testing.T) {
			u.settings = append(settings, "_pragma=cache_size(5)", unsynced)
			u.record(t, "leaves synchronous off").notices(t)
		})
		t.Run("ThatWritesTheVersionOutsideOfTheTransaction"+name, func(t *testing.T) {
			u.settings = settings
			u.record(t, "writes the version outside of the transaction").notices(t)
		})
	}
}

// TestProofNoticesLossOfFiles has a program leave out one kind of sync.
func TestProofNoticesLossOfFiles(t *testing.T) {
	needsTracing(t)
	for _, c := range []struct {
		claim, work, journal string
		leaves               func(before, op powerdisk.Op) bool
	}{
		{"ThatDoesNotSynchronizeTheBackup", "Backup", "delete", func(_, op powerdisk.Op) bool {
			return op.Kind == powerdisk.Sync && strings.HasSuffix(op.Path, "-part/copy.db")
		}},
		{"ThatDoesNotSynchronizeTheBackupOfAnUpgrade", "UpgradeWithBackup", "delete", func(_, op powerdisk.Op) bool {
			return op.Kind == powerdisk.Sync && strings.HasSuffix(op.Path, "-part/copy.db")
		}},
		{"ThatDoesNotSynchronizeTheFolderOfTheBackup", "Backup", "delete", func(before, op powerdisk.Op) bool {
			return op.Kind == powerdisk.SyncFolder && before.Kind == powerdisk.Link
		}},
		// (In an upgrade, SQLite synchronizes the folder before it changes the database.)
		{"ThatDoesNotSynchronizeTheFolderOfWhatIsRestored", "RestoreOfNothing", "delete", func(_, op powerdisk.Op) bool {
			return op.Kind == powerdisk.SyncFolder
		}},
		{"ThatDoesNotSynchronizeTheLogOfWhatIsReplaced", "UpgradeByScript", "wal", func(_, op powerdisk.Op) bool {
			return op.Kind == powerdisk.Sync && op.Path == "data.db-wal"
		}},
	} {
		if !*long && c.work == "UpgradeByScript" { // it takes long to find the moment
			continue
		}
		t.Run(c.claim, func(t *testing.T) {
			for _, w := range works() {
				if w.name != c.work || w.journal != c.journal {
					continue
				}
				l := w.record(t)
				var before powerdisk.Op
				l.log = l.log.Without(func(op powerdisk.Op) bool {
					leaves := c.leaves(before, op)
					before = op
					return leaves
				})
				l.notices(t)
			}
		})
	}
}

// TestProofNoticesForeignKeys leaves foreign keys on.
func TestProofNoticesForeignKeys(t *testing.T) {
	path := databaseAt(t, newFolder(t), shop, 1)
	db := open(dsn(path, unsynced), "leaves foreign keys on")
	defer db.Close()
	want := must(t)(holds(databaseAt(t, newFolder(t), shop, all)))
	err := lockstep.Migrate(t.Context(), db, schemaOf(t, shop, all))
	if got := must(t)(holds(path)); got == want {
		t.Errorf("noticed nothing: %v", err)
	}
}
