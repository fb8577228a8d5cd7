// Package query has statements that SQLite refuses, and some that it does not.
package query

import (
	"context"
	"database/sql"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "migrations"
)

func names(db *sql.DB) {
	db.Query("SELECT id FROM note")                                // want "at version 0007: no such table: note"
	db.Query("SELECT titel FROM notes")                            // want "at version 0007: no such column: titel"
	db.Query("SELECT n.titel FROM notes AS n")                     // want "at version 0007: no such column: n.titel"
	db.Query("SELECT id FROM notes JOIN users")                    // want "at version 0007: ambiguous column name: id"
	db.Query("SELECT title FROM notes ORDER BY created")           // want "at version 0007: no such column: created"
	db.Exec("UPDATE notes SET titel = 'a'")                        // want "at version 0007: no such column: titel"
	db.Exec("INSERT INTO notes (titel) VALUES ('a')")              // want "at version 0007: table notes has no column named titel"
	db.Exec("DELETE FROM note WHERE id = 1")                       // want "at version 0007: no such table: note"
	db.Query(`SELECT "titel" FROM notes`)                          // want `at version 0007: no such column: "titel" - should this be a string literal in single-quotes\?`
	db.Query("WITH a AS (SELECT name FROM users) SELECT b FROM a") // want "at version 0007: no such column: b"
	db.Query("EXPLAIN QUERY PLAN SELECT titel FROM notes")         // want "at version 0007: no such column: titel"

	db.Query("SELECT id, rowid, words FROM notes")
	db.Query("SELECT main.notes.title FROM main.notes")
	db.Query("SELECT bm25(search), snippet(search, 0, '', '', '', 5) FROM search WHERE search MATCH 'a' ORDER BY rank")
	db.Query("SELECT version FROM _meta")
	db.Query("SELECT value FROM notes, json_each(body)")
}

func syntax(db *sql.DB) {
	db.Query("SELEC id FROM notes")                 // want `at version 0007: near "SELEC": syntax error`
	db.Query("SELECT id, FROM notes")               // want `at version 0007: near "FROM": syntax error`
	db.Query("SELECT id FROM notes WHERE")          // want `at version 0007: incomplete input`
	db.Query("SELECT id FROM notes WHERE id = 'a")  // want `at version 0007: unrecognized token: "'a"`
	db.Query("SELECT id FROM notes GROUP BY sum()") // want `at version 0007: wrong number of arguments to function sum\(\)`
}

func writes(db *sql.DB) {
	db.Exec("INSERT INTO notes (title) VALUES ('a') ON CONFLICT (body) DO NOTHING") // want `at version 0007: ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint`
	db.Exec("INSERT INTO users (id, name) VALUES (1)")                              // want `at version 0007: 1 values for 2 columns`
	db.Exec("INSERT INTO users VALUES (1, 'a', 'b')")                               // want `at version 0007: table users has 2 columns but 3 values were supplied`
	db.Exec("INSERT INTO authors (name) VALUES ('a')")                              // want `at version 0007: cannot modify authors because it is a view`
	db.Exec("INSERT INTO notes (title, words) VALUES ('a', 1)")                     // want `at version 0007: cannot INSERT into generated column "words"`
	db.Exec("UPDATE notes SET words = 1")                                           // want `at version 0007: cannot UPDATE generated column "words"`

	db.Exec("INSERT INTO notes (title) VALUES ('a') ON CONFLICT (title) DO UPDATE SET body = excluded.body RETURNING id")
}

func builtins(db *sql.DB) {
	db.Query("SELECT substr(title) FROM notes")           // want `at version 0007: wrong number of arguments to function substr\(\)`
	db.Query("SELECT title FROM notes WHERE max(id) = 1") // want `at version 0007: misuse of aggregate function max\(\)`
}

func notNull(db *sql.DB) {
	db.Exec("INSERT INTO notes (body) VALUES (?)", 1)                           // want "at version 0007: NOT NULL constraint failed: notes.title: the INSERT gives it no value"
	db.Exec("INSERT INTO parcels (weight, kind) VALUES (?, ?)", 1, "box")       // want "at version 0007: NOT NULL constraint failed: parcels.address: the INSERT gives it no value"
	db.Exec("INSERT INTO parcels (address, kind) VALUES (?, ?)", "here", "box") // want "at version 0007: NOT NULL constraint failed: parcels.weight: the INSERT gives it no value"
	db.Exec("INSERT INTO parcels (address, weight) VALUES (?, ?)", "here", 1)   // want "at version 0007: NOT NULL constraint failed: parcels.kind: the INSERT gives it no value"
	db.Exec("INSERT INTO parcels (address, weight, kind) SELECT ?, ?, ?", 1, 2, 3)
	db.Exec("INSERT INTO users DEFAULT VALUES")                                     // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("INSERT INTO tags (note) SELECT id FROM notes")                         // want "at version 0007: NOT NULL constraint failed: tags.tag: the INSERT gives it no value"
	db.Exec("INSERT INTO users (name) VALUES (NULL)")                               // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("INSERT INTO notes (body) VALUES ('a') ON CONFLICT (title) DO NOTHING") // want "at version 0007: NOT NULL constraint failed: notes.title: the INSERT gives it no value"

	db.Exec("INSERT INTO users VALUES (1, 'a'), (2, NULL)")                // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("INSERT INTO users (id, name) VALUES (max(1, 2), NULL)")       // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("INSERT INTO notes (title, body) VALUES (',(', null)")         // want "at version 0007: NOT NULL constraint failed: notes.body: the INSERT gives it no value"
	db.Exec("INSERT OR REPLACE INTO main.users AS u (\"ID\") VALUES (1)")  // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("WITH a AS (SELECT 1) INSERT INTO users (id) SELECT * FROM a") // want "at version 0007: NOT NULL constraint failed: users.name: the INSERT gives it no value"
	db.Exec("INSERT INTO tags VALUES (NULL, 'a')")                         // want "at version 0007: NOT NULL constraint failed: tags.note: the INSERT gives it no value"

	db.Exec("INSERT INTO notes (title) VALUES (?)", "a")
	db.Exec("INSERT INTO users VALUES (NULL, 'null')")
	db.Exec("INSERT OR REPLACE INTO notes (title, body) VALUES ('a', NULL)")
	db.Exec("INSERT INTO lenient (id) VALUES (1)")
	db.Exec("INSERT OR IGNORE INTO users (id) VALUES (1)")               // want "at version 0007: the INSERT OR IGNORE inserts nothing: it gives no value to users.name, which is NOT NULL"
	db.Exec("INSERT OR IGNORE INTO notes (body) SELECT name FROM users") // want "the INSERT OR IGNORE inserts nothing: it gives no value to notes.title, which is NOT NULL"
	db.Exec("INSERT OR IGNORE INTO users (name) VALUES ('a'), (NULL)")
	db.Exec("INSERT OR IGNORE INTO notes (title) VALUES ('a')")
	db.Exec("INSERT INTO tags (note, tag) SELECT id, title FROM notes")
	db.Exec("INSERT INTO users (name) VALUES (iif(?, 'a', NULL))", true)
}

// store shows that a method is known by its shape, in an interface, too.
type store interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// other has methods of the same names, and is no database.
type other interface {
	Query(string) string
	Exec(string, ...any) error
}

func shapes(ctx context.Context, s store, tx *sql.Tx, conn *sql.Conn, o other) {
	s.ExecContext(ctx, "DELETE FROM note")          // want "at version 0007: no such table: note"
	s.QueryRowContext(ctx, "SELECT 1 FROM note")    // want "at version 0007: no such table: note"
	s.PrepareContext(ctx, "SELECT 1 FROM note")     // want "at version 0007: no such table: note"
	tx.QueryContext(ctx, "SELECT 1 FROM note")      // want "at version 0007: no such table: note"
	conn.QueryRowContext(ctx, "SELECT 1 FROM note") // want "at version 0007: no such table: note"
	o.Query("SELECT 1 FROM note")
	o.Exec("SELECT 1 FROM note")
}
