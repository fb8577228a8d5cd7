package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/golang-migrate/migrate/v4"
	migratesqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/pressly/goose/v3"
	sqlmigrate "github.com/rubenv/sql-migrate"
	maragu "maragu.dev/migrate"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// A tool runs migrations, as its documentation says.
type tool struct {
	name string

	// prepare is what happens before the program starts: files get their names, and
	// lockstep generates. The result brings the database at a path up to date, and runs a
	// query on it.
	prepare func(texts []string) func(path, query string) error

	// raw opens the database and runs a script in one transaction, without any tool.
	raw func(path, script string) error
}

var tools = []tool{
	{"lockstep", func(texts []string) func(path, query string) error {
		s := fixture.Schema(check{}, "sqlite", fstest.MapFS(files("%04d-m.sql", "", texts)))
		s.Files = folder(files("%04d-m.sql", "", texts))
		return onPool(func(db *sql.DB) error { return lockstep.Migrate(context.Background(), db, s) })
	}, plain},

	{"goose", func(texts []string) func(path, query string) error {
		all := folder(files("%05d_m.sql", "-- +goose Up\n", texts))
		return onPool(func(db *sql.DB) error {
			p, err := goose.NewProvider(goose.DialectSQLite3, db, all)
			if err == nil {
				_, err = p.Up(context.Background())
			}
			return err
		})
	}, plain},

	{"golang-migrate", func(texts []string) func(path, query string) error {
		all := folder(files("%04d_m.up.sql", "", texts))
		return onPool(func(db *sql.DB) error {
			from, err := iofs.New(all, ".")
			if err != nil {
				return err
			}
			to, err := migratesqlite.WithInstance(db, &migratesqlite.Config{})
			if err != nil {
				return err
			}
			m, err := migrate.NewWithInstance("iofs", from, "sqlite", to)
			if err == nil {
				err = m.Up()
			}
			if errors.Is(err, migrate.ErrNoChange) {
				err = nil
			}
			return err
		})
	}, plain},

	{"sql-migrate", func(texts []string) func(path, query string) error {
		all := http.FS(folder(files("%04d-m.sql", "-- +migrate Up\n", texts)))
		return onPool(func(db *sql.DB) error {
			_, err := sqlmigrate.Exec(db, "sqlite3", sqlmigrate.HttpFileSystemMigrationSource{FileSystem: all}, sqlmigrate.Up)
			return err
		})
	}, plain},

	{"maragudk/migrate", func(texts []string) func(path, query string) error {
		all := folder(files("%04d-m.up.sql", "", texts))
		return onPool(func(db *sql.DB) error { return maragu.Up(context.Background(), db, all) })
	}, plain},

	{"zombiezen", func(texts []string) func(path, query string) error {
		return func(path, query string) error {
			pool := sqlitemigration.NewPool(path, sqlitemigration.Schema{Migrations: texts}, sqlitemigration.Options{PoolSize: 1, PrepareConn: enforce})
			defer pool.Close()
			conn, err := pool.Get(context.Background())
			if err != nil {
				return err
			}
			defer pool.Put(conn)
			return sqlitex.ExecuteTransient(conn, query, nil)
		}
	}, func(path, script string) error {
		conn, err := sqlite.OpenConn(path)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := enforce(conn); err != nil {
			return err
		}
		return sqlitex.ExecuteScript(conn, script, nil)
	}},
}

func enforce(conn *sqlite.Conn) error {
	return sqlitex.ExecuteTransient(conn, "PRAGMA foreign_keys = on", nil)
}

func plain(path, script string) error {
	return onPool(func(*sql.DB) error { return nil })(path, "BEGIN;\n"+script+";\nCOMMIT")
}

// onPool opens the database as servers do: with a WAL, as zombiezen does too, and with foreign
// keys.
func onPool(up func(*sql.DB) error) func(path, query string) error {
	return func(path, query string) error {
		db, err := open(path)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := up(db); err != nil {
			return err
		}
		_, err = db.Exec(query)
		return err
	}
}

func open(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)")
}

// files gives migrations their names.
func files(name, header string, texts []string) map[string]*fstest.MapFile {
	all := make(map[string]*fstest.MapFile)
	for i, text := range texts {
		all[fmt.Sprintf(name, i+1)] = &fstest.MapFile{Data: []byte(header + text)}
	}
	return all
}

// folder is a folder in memory that, as one of package embed, has its names in a list.
func folder(all fstest.MapFS) fs.FS {
	entries, err := fs.ReadDir(all, ".")
	if err != nil {
		panic(err)
	}
	return &memory{all, entries}
}

type memory struct {
	fstest.MapFS
	entries []fs.DirEntry
}

func (m *memory) Open(name string) (fs.File, error) {
	file, err := m.MapFS.Open(name)
	if name == "." && err == nil {
		return &listing{ReadDirFile: file.(fs.ReadDirFile), entries: m.entries}, nil
	}
	return file, err
}

func (m *memory) ReadDir(string) ([]fs.DirEntry, error) { return m.entries, nil }

type listing struct {
	fs.ReadDirFile
	entries []fs.DirEntry
}

func (l *listing) ReadDir(int) ([]fs.DirEntry, error) { return l.entries, nil }

// check ends the program where a test would fail.
type check struct{ testing.TB }

func (check) Helper()                           {}
func (check) Context() context.Context          { return context.Background() }
func (check) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (check) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
