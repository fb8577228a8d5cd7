package lockstep_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/example/migrations"
)

// A program migrates its database before anything else uses it.
func ExampleMigrate() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()

	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	if _, err := db.ExecContext(ctx, "INSERT INTO notes (title) VALUES ('first')"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("at version", migrations.ExpectedVersion)
	// Output: at version 0002
}

// A program that must not change the database, such as a report, checks that it has
// the version that the program expects.
func ExampleCheck() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()

	err := migrations.Check(ctx, db)
	if errors.Is(err, lockstep.ErrBehind) {
		var refused *lockstep.Error
		errors.As(err, &refused)
		fmt.Println("at", refused.Version, "instead of", refused.Expected)
		fmt.Println("pending:", refused.Pending)
	}
	// Output:
	// at 0000 instead of 0002
	// pending: [0001-initialize.sql 0002-add-tags.sql]
}

// An application can let its operator allow a refused database, by passing the digest
// from the error in a flag or the environment. The permission ends with the next change
// to the program or the database.
func ExampleWithAllowed() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "DROP INDEX tags_by_tag"); err != nil { // not by a migration
		log.Fatal(err)
	}

	err := migrations.Migrate(ctx, db)
	var refused *lockstep.Error
	if errors.As(err, &refused) && refused.Kind == lockstep.ErrDrift {
		fmt.Println(refused.Differences[0].Detail)
	}

	err = migrations.Migrate(ctx, db, lockstep.WithAllowed(refused.Digest))
	fmt.Println("allowed:", err)
	// Output:
	// index tags_by_tag: missing
	// allowed: <nil>
}

// A program keeps backups from before its last three upgrades. When an upgrade fails,
// the error names its backup.
func ExampleWithBackup() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "data.db")
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := migrations.Migrate(ctx, db, lockstep.WithBackup(3)); err != nil { // new, so there is nothing to lose
		log.Fatal(err)
	}

	// The next release has a migration that fails.
	fails := func(context.Context, lockstep.Tx) error { return errors.New("not with this data") }
	next := withMigration(migrations.Schema, "0003-fails.go", lockstep.Go(fails))
	err = lockstep.Migrate(ctx, db, next, lockstep.WithBackup(3))
	var failed *lockstep.MigrationError
	if errors.As(err, &failed) {
		fmt.Println(failed.Err)
	}

	backups, err := lockstep.Backups(path)
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range backups {
		fmt.Println("backup of version", b.Version, b.Path == failed.Backup)
	}
	// Output:
	// not with this data
	// backup of version 0002 true
}

// Inspect tells how a database reached its version.
func ExampleInspect() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	state, err := lockstep.Inspect(ctx, db, migrations.Schema)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range state.Applied {
		fmt.Println(a.Version, a.File)
	}
	// Output:
	// 0001 0001-initialize.sql
	// 0002 0002-add-tags.sql
}

// A program on a read-only replica waits until the primary has been upgraded.
func ExampleWithWait() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := "file:" + filepath.ToSlash(filepath.Join(dir, "data.db"))
	primary, err := sql.Open("sqlite3", name)
	if err != nil {
		log.Fatal(err)
	}
	defer primary.Close()
	replica, err := sql.Open("sqlite3", name+"?mode=ro")
	if err != nil {
		log.Fatal(err)
	}
	defer replica.Close()

	go migrations.Migrate(ctx, primary) // in another process
	err = migrations.Migrate(ctx, replica, lockstep.WithWait(), lockstep.WithTimeout(10*time.Minute))
	fmt.Println(err)
	// Output: <nil>
}

// A program shows the progress of a long upgrade.
func ExampleWithProgress() {
	db := openExample()
	defer db.Close()

	show := func(p lockstep.Progress) {
		if p.Statement > 0 && !p.Done {
			fmt.Printf("%d of %d: %s, statement %d of %d\n", p.Migration, p.Migrations, p.File, p.Statement, p.Statements)
		}
	}
	if err := migrations.Migrate(context.Background(), db, lockstep.WithProgress(show)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 of 2: 0001-initialize.sql, statement 1 of 1
	// 2 of 2: 0002-add-tags.sql, statement 1 of 2
	// 2 of 2: 0002-add-tags.sql, statement 2 of 2
}

// A migration in Go is a function in a file of the migrations package: this one is
// migrate0003, in 0003-trim-titles.go. "lockstep generate" finds it by its name and
// writes the call of Go.
func ExampleGo() {
	migrate0003 := func(ctx context.Context, tx lockstep.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id, title FROM notes")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var title string
			if err := rows.Scan(&id, &title); err != nil {
				return err
			}
			title = strings.Join(strings.Fields(title), " ")
			if _, err := tx.ExecContext(ctx, "UPDATE notes SET title = ? WHERE id = ?", title, id); err != nil {
				return fmt.Errorf("note %d: %w", id, err)
			}
		}
		return rows.Err()
	}

	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil { // to version 2
		log.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO notes (title) VALUES ('  To   do ')"); err != nil {
		log.Fatal(err)
	}
	schema := withMigration(migrations.Schema, "0003-trim-titles.go", lockstep.Go(migrate0003))
	if err := lockstep.Migrate(ctx, db, schema); err != nil {
		log.Fatal(err)
	}

	var title string
	if err := db.QueryRowContext(ctx, "SELECT title FROM notes").Scan(&title); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", title)
	// Output: "To do"
}

// A *slog.Logger gets a record for each migration.
func ExampleWithLogger() {
	db := openExample()
	defer db.Close()

	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: only("msg", "version")}))
	if err := migrations.Migrate(context.Background(), db, lockstep.WithLogger(logger)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// msg="migration applied" version=0001
	// msg="migration applied" version=0002
}

// A program takes over a database that has tables and no version.
func ExampleEnroll() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if _, err := db.ExecContext(ctx, migrations.SchemaSQL); err != nil { // by another tool
		log.Fatal(err)
	}

	if err := migrations.Migrate(ctx, db); errors.Is(err, lockstep.ErrUnmanaged) {
		if err := lockstep.Enroll(ctx, db, migrations.Schema); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(migrations.Migrate(ctx, db))
	// Output: <nil>
}

// The text of an error names the database, the file, the line if there is one, and
// what has become of the database.
func ExampleMigrationError() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil { // to version 2
		log.Fatal(err)
	}

	fails := func(ctx context.Context, tx lockstep.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE notes SET titel = trim(titel)")
		return err
	}
	next := withMigration(migrations.Schema, "0003-trim-titles.go", lockstep.Go(fails))
	err := lockstep.Migrate(ctx, db, next)
	fmt.Println(err)
	var failed *lockstep.MigrationError
	if errors.As(err, &failed) {
		fmt.Println(failed.File, failed.RolledBack)
	}
	// Output:
	// :memory:: 0003-trim-titles.go: UPDATE notes SET titel = trim(titel): no such column: titel; rolled back, still at 0002
	// 0003-trim-titles.go true
}

// With a transaction for each migration, an upgrade that fails keeps what succeeded.
func ExampleWithPerMigration() {
	ctx := context.Background()
	fails := func(context.Context, lockstep.Tx) error { return errors.New("not with this data") }
	next := withMigration(migrations.Schema, "0003-fails.go", lockstep.Go(fails))

	for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
		db := openExample()
		defer db.Close()
		var failed *lockstep.MigrationError
		if err := lockstep.Migrate(ctx, db, next, opts...); errors.As(err, &failed) {
			fmt.Println("still at", failed.Version)
		}
	}
	// Output:
	// still at 0000
	// still at 0002
}

// A program gives up when others keep the database locked.
func ExampleWithTimeout() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(dir)+"/data.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	other, err := db.Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		log.Fatal(err)
	}

	err = migrations.Migrate(ctx, db, lockstep.WithTimeout(50*time.Millisecond))
	fmt.Println(errors.Is(err, lockstep.ErrBusy))
	// Output: true
}

// A test makes a database as an earlier release left it. (Package migratetest has this
// ready to use.)
func ExampleSchema_At() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()

	earlier, err := migrations.Schema.At(1)
	if err != nil {
		log.Fatal(err)
	}
	if err := lockstep.Migrate(ctx, db, earlier); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(migrations.Check(ctx, db), lockstep.ErrBehind))
	// Output: true
}

// A test notices that go generate has not been run, which a build does not. (Package
// migratetest does this, too.)
func ExampleSchema_Stale() {
	fmt.Println(migrations.Schema.Stale())
	// Output: <nil>
}

// openExample opens a new database in memory, which an example need not remove.
func openExample() *sql.DB {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1) // another connection would have a database of its own
	return db
}

// withMigration returns s with one more migration, which leaves the tables as they are:
// what "lockstep generate" would write for it.
func withMigration(s *lockstep.Schema, file string, program lockstep.Program) *lockstep.Schema {
	text := []byte("package migrations\n")
	files := fstest.MapFS{file: {Data: text}}
	for _, m := range s.Migrations {
		text, err := fs.ReadFile(s.Files, m.File)
		if err != nil {
			log.Fatal(err)
		}
		files[m.File] = &fstest.MapFile{Data: text}
	}
	longer := *s
	longer.Expected++
	longer.Files = files
	longer.Migrations = append(slices.Clip(s.Migrations), lockstep.Migration{
		Version: longer.Expected, File: file, Checksum: program.Checksum(text), Program: program,
	})
	return &longer
}

// only drops what differs from run to run from a log.
func only(keys ...string) func([]string, slog.Attr) slog.Attr {
	return func(_ []string, a slog.Attr) slog.Attr {
		for _, key := range keys {
			if a.Key == key {
				return a
			}
		}
		return slog.Attr{}
	}
}

// A transaction that writes asks first. No upgrade can come in between.
func ExampleCheckTx() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	add := func(title string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := migrations.CheckTx(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO notes (title) VALUES (?)", title); err != nil {
			return err
		}
		return tx.Commit()
	}
	fmt.Println("first:", add("first"))

	// A newer release upgrades the database, while this one runs.
	next := withMigration(migrations.Schema, "0003-next.go", lockstep.Go(func(context.Context, lockstep.Tx) error { return nil }))
	if err := lockstep.Migrate(ctx, db, next); err != nil {
		log.Fatal(err)
	}
	fmt.Println("second:", errors.Is(add("second"), lockstep.ErrAhead))
	// Output:
	// first: <nil>
	// second: true
}

// A server ends when a newer release has upgraded its database, so that whoever supervises it
// starts that one.
func ExampleWatch() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	// In another process, later.
	time.AfterFunc(10*time.Millisecond, func() {
		next := withMigration(migrations.Schema, "0003-next.go", lockstep.Go(func(context.Context, lockstep.Tx) error { return nil }))
		if err := lockstep.Migrate(ctx, db, next); err != nil {
			log.Fatal(err)
		}
	})

	err := migrations.Watch(ctx, db, lockstep.WithInterval(10*time.Millisecond))
	var refused *lockstep.Error
	if errors.As(err, &refused) {
		fmt.Println("at", refused.Version, "instead of", refused.Expected)
	}
	// Output: at 0003 instead of 0002
}
