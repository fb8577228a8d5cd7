// Package libraries runs SQL by libraries other than database/sql.
package libraries

import (
	"time"

	"github.com/uptrace/bun"
	"gorm.io/gorm"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	_ "migrations"
)

func gormRaw(db *gorm.DB, ids []int, id int, at time.Time, value any, all ...any) {
	db.Raw("SELECT title FORM notes WHERE id = ?", id).Scan(nil)         // want `at version 0007: near "notes": syntax error`
	db.Exec("UPDATE notes SET titel = ? WHERE id = ?", "a", &id)         // want "at version 0007: no such column: titel"
	db.Raw("SELECT title FROM notes WHERE id = ? OR body = ?", id)       // want "call has 1 argument for 2 parameters"
	db.Raw("SELECT title FROM notes WHERE titel = 1 AND id IN ?", ids)   // want "at version 0007: no such column: titel"
	db.Raw("SELECT title FROM notes WHERE titel = 1 AND id > ?", all...) // want "at version 0007: no such column: titel"

	db.Raw("SELECT title FROM notes WHERE id = ? AND body > ?", id, at).Scan(nil)
	db.Raw("SELECT title FROM notes WHERE id IN ?", ids)
	db.Raw("SELECT title FROM notes WHERE id IN @ids AND body = @body", map[string]any{"ids": ids})
	db.Raw("SELECT title FROM notes WHERE (id, author) IN ? AND body = '?'", value, id)
	db.Raw("SELECT title FROM notes WHERE id = ?", all...)
}

func bunRaw(db *bun.DB, ids []int, id int) {
	db.NewRaw("SELECT titel FROM notes WHERE id = ?", id)             // want "at version 0007: no such column: titel"
	db.NewRaw("SELECT title FROM notes WHERE id = ?", id, id)         // want "call has 2 arguments for 1 parameter"
	db.Exec("UPDATE notes SET titel = 'a'")                           // want "at version 0007: no such column: titel"
	db.QueryRow("SELECT id, title FROM notes WHERE id = ?", 1).Scan() // want "Scan has 0 destinations for 2 columns"

	db.NewRaw("SELECT title FROM ? WHERE id = ?", bun.Ident("notes"), id)
	db.NewRaw("SELECT title FROM notes WHERE id IN (?0) OR author = ?0", ids)
	db.Exec("UPDATE ?TableName SET title = 'a'")
}

func zombiezen(conn *sqlite.Conn, args []any) {
	conn.Prep("SELECT titel FROM notes")                                                                             // want "at version 0007: no such column: titel"
	conn.Prepare("SELECT title FROM notes WHERE")                                                                    // want "at version 0007: incomplete input"
	sqlitex.Execute(conn, "DELETE FROM notes WHERE id = ?", nil)                                                     // want "call has 0 arguments for 1 parameter"
	sqlitex.Execute(conn, "DELETE FROM notes WHERE id = ?", &sqlitex.ExecOptions{Args: []any{1, 2}})                 // want "call has 2 arguments for 1 parameter"
	sqlitex.Execute(conn, "DELETE FROM notes WHERE id = :id", &sqlitex.ExecOptions{Named: map[string]any{":ID": 1}}) // want `argument "ID" names no parameter` "parameter :id has no argument"
	sqlitex.ExecuteScript(conn, "DELETE FROM tags; DELETE FROM tag", nil)                                            // want "at version 0007: no such table: tag"
	sqlitex.Exec(conn, "DELETE FROM notes WHERE id = ?", nil)                                                        // want "call has 0 arguments for 1 parameter"

	conn.Prep("SELECT title FROM notes WHERE id = $id")
	sqlitex.Execute(conn, "DELETE FROM tags", nil)
	sqlitex.Execute(conn, "DELETE FROM notes WHERE id = :id", &sqlitex.ExecOptions{Named: map[string]any{":id": 1}})
	sqlitex.Execute(conn, "DELETE FROM notes WHERE id = ?", &sqlitex.ExecOptions{Args: args})
	sqlitex.Exec(conn, "DELETE FROM notes WHERE id = ?", func(*sqlite.Stmt) error { return nil }, 1)
}
