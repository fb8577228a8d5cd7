//go:build cgo

package drivertest

import (
	"database/sql"
	"errors"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/lockstep-db/lockstep/examples/sqlc/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

// TestBesideGORMAndSqlx runs what the topic recipes says of them.
func TestBesideGORMAndSqlx(t *testing.T) {
	ctx := t.Context()
	file := "file:" + filepath.Join(t.TempDir(), "data.db") + "?_foreign_keys=1"

	open := func() (*sql.DB, *gorm.DB) {
		db, err := sql.Open("sqlite3", file)
		if err != nil {
			log.Fatal(err)
		}
		if err := migrations.Migrate(ctx, db); err != nil {
			log.Fatal(err)
		}
		orm, err := gorm.Open(sqlite.New(sqlite.Config{Conn: db}), &gorm.Config{})
		if err != nil {
			log.Fatal(err)
		}
		return db, orm
	}
	db, orm := open()
	defer db.Close()

	t.Run("GORMWritesInACheckedTransaction", func(t *testing.T) {
		note := Note{Title: "by gorm"}
		err := orm.Transaction(func(tx *gorm.DB) error {
			if err := migrations.CheckTx(ctx, tx.Statement.ConnPool); err != nil {
				return err
			}
			return tx.Create(&note).Error
		})
		if err != nil || note.ID != 1 {
			t.Errorf("got %v, %+v", err, note)
		}
	})
	t.Run("SqlxReadsInACheckedTransaction", func(t *testing.T) {
		dbx := sqlx.NewDb(db, "sqlite3")
		tx, err := dbx.BeginTxx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := migrations.CheckTx(ctx, tx); err != nil {
			t.Fatal(err)
		}
		var notes []Note
		if err := tx.SelectContext(ctx, &notes, "SELECT id, title FROM notes"); err != nil || len(notes) != 1 || notes[0].Title != "by gorm" {
			t.Errorf("got %v, %v", notes, err)
		}
	})
	t.Run("MigrationsInGoTakeEither", func(t *testing.T) {
		var _ lockstep.Tx = (*sqlx.Tx)(nil)
		var _ gorm.ConnPool = lockstep.Tx(nil)
	})
	t.Run("AutoMigrateIsDrift", func(t *testing.T) {
		type Note struct {
			ID    int64
			Title string
			Color string
		}
		if err := orm.AutoMigrate(&Note{}); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Migrate(ctx, db); !errors.Is(err, lockstep.ErrDrift) {
			t.Errorf("got %v, want %v", err, lockstep.ErrDrift)
		}
	})
}

// TestRecipe wants the code of the topic recipes to be that of TestBesideGORMAndSqlx.
func TestRecipe(t *testing.T) {
	topic, err := os.ReadFile("../../cmd/lockstep/help/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("orm_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(topic), "\n## GORM and sqlx\n")
	section, _, _ = strings.Cut(section, "\n## ")
	code := 0
	tested := strings.Split(strings.ReplaceAll(string(source), "\t", ""), "\n")
	for line := range strings.Lines(section) {
		if line, ok := strings.CutPrefix(line, "    "); ok {
			code++
			if line = strings.TrimSpace(line); !slices.Contains(tested, line) {
				t.Errorf("not tested: %s", line)
			}
		}
	}
	if code < 10 {
		t.Errorf("found %d lines of code", code)
	}
}

// A Note is a row of notes.
type Note struct {
	ID    int64
	Title string
}
