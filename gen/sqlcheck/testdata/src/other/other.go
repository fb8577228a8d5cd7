// Package other has another database beside SQLite.
package other

import (
	"database/sql"

	"github.com/lib/pq"
	_ "migrations"
)

func use(db *sql.DB, conn *pq.Conn, ids []int) {
	db.Query("SELECT title FROM notes WHERE id IN (SELECT value FROM json_each(?))", pq.Array(ids))
	db.Query("SELECT titel FROM notes WHERE id = ?", pq.Array(ids)) // want "no such column: titel"
	db.Query("SELECT titel FROM notes WHERE id = $1", pq.Array(ids))
	db.Query("SELECT titel FROM notes WHERE id = ANY(?::int[])", pq.Array(ids))
	conn.Run("SELECT titel FROM notes")
}

func open() {
	accounts, _ := sql.Open("postgres", "")
	accounts.Query("SELECT titel FROM accounts")
	notes, _ := sql.Open("sqlite3", "")
	notes.Query("SELECT titel FROM notes") // want "no such column: titel"
	connector, _ := pq.NewConnector("")
	connected := sql.OpenDB(connector)
	connected.Query("SELECT titel FROM accounts")
}
