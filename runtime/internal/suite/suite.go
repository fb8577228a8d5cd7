// Package suite is the test of package runtime that every SQLite driver has to
// pass. Package runtime knows nothing of the drivers, and they differ in what they
// do with a cancelled context, with a SELECT that is executed, with a busy
// database, and in how they word errors: the suite shows that none of it is to be
// seen from outside.
//
// It is run by package runtime with the driver that the module requires, and by
// the module in runtime/drivertest with the others.
package suite

import (
	"testing"
	"time"
)

// A Driver is a database/sql driver for SQLite.
type Driver struct {
	Name string // under which it is registered

	// DSN returns the data source name of a file.
	DSN func(path string, s Settings) string

	// ReadsOnConnect means that connecting reads the file. What is wrong with the
	// file is then found before SQLite has said what it is called.
	ReadsOnConnect bool

	// Shared returns the data source name of a database in memory that all the
	// connections of a pool share.
	Shared func(name string) string
}

// Settings are what an application says in its data source name.
type Settings struct {
	Journal     string        // journal mode; "" leaves it to the file
	BusyTimeout time.Duration // for which SQLite itself waits for locks
	ForeignKeys bool
	ReadOnly    bool
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, group := range []struct {
		name string
		run  func(*test)
	}{
		{"Start", start},
		{"Refusal", refusal},
		{"Drift", drift},
		{"Lock", lock},
		{"Stale", staleCode},
		{"Memory", memory},
		{"Acceptance", acceptance},
		{"FastPath", fastPath},
		{"Upgrade", upgrade},
		{"ForeignKeys", foreignKeys},
		{"Settings", settings},
		{"Bystanders", bystanders},
		{"Failure", failure},
		{"PerMigration", perMigration},
		{"GoMigration", goMigration},
		{"NoTransaction", noTransaction},
		{"Backup", backup},
		{"Report", report},
		{"Allow", allow},
		{"Inspect", inspect},
		{"Enroll", enroll},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(newTest(t, d)) })
	}
}
