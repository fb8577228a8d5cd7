// Package silent has strings about which the analyzer says nothing.
package silent

import (
	"database/sql"
	"fmt"

	_ "migrations"
)

func own(db *sql.DB) {
	db.Exec("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER)")
	db.Exec("INSERT INTO chosen SELECT nothing FROM nowhere")
	db.Exec("ALTER TABLE main.users ADD COLUMN mail TEXT")
	db.Query("SELECT mail FROM users")
}

func others(db *sql.DB) {
	db.Query("SELECT * FROM temp.chosen_today")
	db.Query("SELECT * FROM archive.notes")
	db.Query("SELECT value FROM generate_series(1, 5)")
	db.Query("SELECT upcase(title) FROM notes ORDER BY title COLLATE swedish")
	db.Query("SELECT rowid FROM vectors WHERE embedding MATCH ?", 1)
	db.Query("SELECT * FROM vectors_chunks")
	db.Exec("INSERT INTO pictures (name) VALUES ('a')")
	db.Query("SELECT * FROM sqlite_stat1")
	db.Query("SELECT id::text FROM notes")
	db.Exec("INSERT INTO tags VALUES (1, 'a') ON DUPLICATE KEY UPDATE tag = 'a'")
	db.Exec("PRAGMA no_such_pragma")
	db.Exec("ATTACH 'a' AS b")
	db.Exec("BEGIN; SELECT 1")
	db.Exec("-- nothing")
}

func empty(db *sql.DB) {
	db.Exec("")
	db.Exec(fmt.Sprintf(""))
	db.Exec("; ;")
	db.Exec("\x00SELECT")
	db.Exec("-- lockstep: no-transaction")
	_ = fmt.Errorf("SELECT").Error()
}
