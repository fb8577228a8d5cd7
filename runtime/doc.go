// Package lockstep brings a SQLite database to exactly the version that a
// program was compiled for, all or nothing, or refuses it and says why.
//
// A program calls the functions of its own migrations package, which
// "lockstep generate" writes and which pass the package's Schema to [Migrate]
// and [Check]:
//
//	db, err := sql.Open("sqlite3", "file:data.db")
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := migrations.Migrate(ctx, db); err != nil {
//		log.Fatal(err)
//	}
//	// From here on, data.db is at migrations.ExpectedVersion.
//
// The folder is named runtime and the package lockstep, so an import needs no
// name of its own:
//
//	import "github.com/lockstep-db/lockstep/runtime"
//
// # Refusals
//
// Migrate upgrades a database that is behind and creates one that is new. Any
// other database that is not at the expected version, or whose tables are not
// what the migrations make, is left untouched. [Error] says what was found and
// what was expected, and errors.Is tells the cases apart:
//
//	err := migrations.Migrate(ctx, db)
//	var refused *lockstep.Error
//	if errors.Is(err, lockstep.ErrAhead) && errors.As(err, &refused) {
//		log.Fatalf("please update: this database is at version %v, we know %v",
//			refused.Version, refused.Expected)
//	}
//
// When a migration fails, the upgrade is rolled back and [MigrationError] names
// the file, the line and the driver's error.
//
// # While the program runs
//
// A newer release may upgrade the database under a program that is running.
// [CheckTx] keeps the statements of a transaction out of it, and [Watch] tells the
// program to end. On a read-only replica, [WithWait] waits for the upgrade.
//
// # Drivers
//
// The package imports only the standard library. It works on one connection of
// the program's own pool, with any SQLite driver, and never opens the file
// itself: two SQLite libraries on one file in one process break each other's
// locks.
//
// What SQLite writes beside a database, as data.db-journal and data.db-wal,
// holds pages of it. Some drivers, github.com/ncruces/go-sqlite3 among them,
// make these files as readable as the umask allows, whatever the permissions
// of data.db. A program whose database is private keeps it in a folder that
// nobody else can enter, or sets its umask before it opens the database.
package lockstep
