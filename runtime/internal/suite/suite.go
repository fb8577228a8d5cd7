// Package suite tests package lockstep with any SQLite driver. Drivers differ in what they
// do with a canceled context, with a SELECT that is executed and with a busy database, and
// in how they word errors. Users of lockstep must not see any of it.
//
// The tests of package lockstep run it with the driver that this module requires; the module
// in runtime/drivertest runs it with the others.
package suite

import (
	"strings"
	"testing"
	"time"
)

// A Driver is a database/sql driver for SQLite.
type Driver struct {
	Name string // under which it is registered

	// DSN returns the data source name of a file.
	DSN func(path string, s Settings) string

	// ReadsOnConnect means that connecting reads the file. An error of the file then comes
	// before SQLite has told its name.
	ReadsOnConnect bool

	// Shared returns the data source name of a database in memory that all connections
	// of a pool share.
	Shared func(name string) string

	// Replay is another driver, under which schemas are made in memory, as generators do; ""
	// is this one.
	Replay string

	// Server means that a server keeps the databases, and that their paths are names.
	Server bool

	// Skip has groups and claims that do not apply, and why.
	Skip map[string]string
}

// Settings are what an application says in its data source name.
type Settings struct {
	Journal     string        // journal mode; "" leaves it to the file
	BusyTimeout time.Duration // for which SQLite itself waits for locks
	ForeignKeys bool
	ReadOnly    bool
}

// Run runs the suite. The program that does so must upgrade a database, and nothing else, when
// LOCKSTEP_TEST_PROGRAM says which: some tests start it as another process.
func Run(t *testing.T, d Driver) {
	for _, group := range []struct {
		name   string
		claims claims
	}{
		{"Start", claims{starts, runsStatements}},
		{"Refusal", claims{refusesVersions, readsItsOwnVersion, refusesBehind, refusesUnmanaged, refusesDiverged, refusesSkipped, refusesUnreadable, refusesReadOnly}},
		{"File", claims{permissions, noTemporaryFiles}},
		{"Drift", claims{drift, acceptsRewordings}},
		{"Lock", claims{refusesLocked, ignoresWriters, boundsWaits, waits, boundsMoreWaits, waitsForOthers, waitsForFiles, readsSlowly, startsOnce}},
		{"Running", claims{checksTransactions, refusesTransactions, holdsVersions, watches, watchesPools, watchesFiles, watchesOn, watchesServers, fences}},
		{"Stale", claims{staleCode}},
		{"Memory", claims{memory}},
		{"Acceptance", claims{acceptsMigrations, acceptsSchemas, takesOver}},
		{"FastPath", claims{isFast, notesCookies}},
		{"Upgrade", claims{keepsSettings, runsScripts, checksTheResult}},
		{"ForeignKeys", claims{keepsChildren, namesOrphans, acceptsOldOrphans, refusesNewOrphans, comparesOrphans}},
		{"Settings", claims{restoresSettings, writesSafely}},
		{"Bystanders", claims{noticesTriggers, refusesTemporary, acceptsTemporary, namesTheLost, namesTheLostOnce, refusesToLose, losesNothing}},
		{"Failure", claims{losesConnections, suspectsLosses, boundsLosses, losesMore, failsInStatements, failsOnDisk, interrupted, failsAnywhere, commits}},
		{"Culprits", claims{namesCulprits, namesNoCulprits}},
		{"Explanation", claims{namesChanges, namesNoChanges, namesProvenChanges, namesVersions, triesWhatIsMade}},
		{"PerMigration", claims{perMigration}},
		{"GoMigration", claims{goMigration}},
		{"NoTransaction", claims{runsAlone, waitsAlone, runsAloneAgain}},
		{"Backup", claims{backsUp, backsUpFewer, namesBackups, keepsBackups, interruptsBackups, backsUpAgain, backsUpOnAnyConnection, backsUpOnce, backsUpFaults, backsUpBesideOthers, removesParts}},
		{"Report", claims{reportsProgress, reportsWaiting, logs, quotesNames}},
		{"Allow", claims{allowsDrift, allowsDivergence}},
		{"Inspect", claims{inspectsManaged, inspectsOthers}},
		{"Enroll", claims{enrolls, refusesToEnroll, enrollsOnce}},
	} {
		t.Run(group.name, func(t *testing.T) {
			d.skip(t, group.name)
			for _, run := range group.claims {
				run(newTest(t, d))
			}
		})
	}
}

// skip skips a group or a claim that does not apply.
func (d Driver) skip(t *testing.T, name string) {
	name, _, _ = strings.Cut(name, "/")
	if why, ok := d.Skip[name]; ok {
		t.Skip(why)
	}
}

// claims are functions that run subtests.
type claims []func(*test)
