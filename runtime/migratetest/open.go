package migratetest

import (
	"database/sql"
	"errors"
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// An Option changes how [Run] and [At] go about it.
type Option func(*opener)

// opener opens the database in the file at path.
type opener func(path string) (*sql.DB, error)

// Open has f open the databases of the test, as the program opens its own. The file at path
// may not exist yet; f applies no migrations.
func Open(f func(path string) (*sql.DB, error)) Option { return func(o *opener) { *o = f } }

// newOpener returns the function that opens databases.
func newOpener(opts []Option) (open opener, err error) {
	for _, opt := range opts {
		opt(&open)
	}
	if open == nil {
		var name string
		name, err = driverName(sql.Drivers())
		open = func(path string) (*sql.DB, error) { return sql.Open(name, dsn(path)) }
	}
	return open, err
}

// driverName returns which of the registered drivers is the one for SQLite: ncruces and
// mattn call theirs sqlite3, modernc sqlite.
func driverName(registered []string) (string, error) {
	var found []string
	for _, name := range []string{"sqlite3", "sqlite"} {
		if slices.Contains(registered, name) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", errors.New("the test imports no SQLite driver; add the program's, as in\n\timport _ \"github.com/ncruces/go-sqlite3/driver\"")
	case 1:
		return found[0], nil
	}
	return "", errors.New("the test imports two SQLite drivers, sqlite3 and sqlite; say which by migratetest.Open")
}

// dsn is a data source name that all drivers understand. Nothing in these files has to
// survive a loss of power; each driver takes that in its own way and passes over the
// other's.
func dsn(path string) string { return sqlite.URI(path, "_pragma=synchronous(0)&_sync=0") }
