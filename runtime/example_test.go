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

// A program that must not change the database, a report for instance, asks whether
// it is the one that it is written for.
func ExampleCheck() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()

	err := migrations.Check(ctx, db)
	if errors.Is(err, lockstep.ErrBehind) {
		var refused *lockstep.Error
		errors.As(err, &refused)
		fmt.Println("at", refused.Version, "and not at", refused.Expected)
		fmt.Println("pending:", refused.Pending)
	}
	// Output:
	// at 0000 and not at 0002
	// pending: [0001-initialize.sql 0002-add-tags.sql]
}

// An application can offer its operator a way past a refusal: the digest that the
// error reported, in a flag or in the environment. It ends with the next change.
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

// A program that keeps the last three of what its upgrades begin with. When one
// fails, the error names the file.
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

	// The next release has a migration that does not succeed.
	fails := func(context.Context, lockstep.Tx) error { return errors.New("not on these data") }
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
		fmt.Println("a backup of version", b.Version, b.Path == failed.Backup)
	}
	// Output:
	// not on these data
	// a backup of version 0002 true
}

// Inspect is for whoever wants to know how a database came to be what it is.
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

// An upgrade that takes long can be watched.
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

// A migration that SQL cannot express is a function, in a file of the migrations
// package: this one is migrate0003 in 0003-trim-titles.go. That "lockstep generate"
// knows it by its name is all there is to it; what it writes calls Go.
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

// A *slog.Logger is told of each migration that was applied.
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

func ExampleParseFileName() {
	name, err := lockstep.ParseFileName("0011-one-more-thing.sql")
	fmt.Println(name.Version, name.Description, name.Ext, err)

	_, err = lockstep.ParseFileName("11_one_more_thing.sql")
	fmt.Println(err)
	// Output:
	// 0011 one-more-thing .sql <nil>
	// name must be four digits, a hyphen and words, as in 0011-one-more-thing.sql
}

// openExample opens a new database in memory, where an example leaves nothing
// behind.
func openExample() *sql.DB {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1) // another connection would have a database of its own
	return db
}

// withMigration returns the schema of a program with one more migration, which is a
// program and leaves the tables as they are: what "lockstep generate" would write.
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
	longer.Digest = lockstep.Digest(longer.Migrations)
	return &longer
}

// only leaves out of a log what is not the same on every run.
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
