// Command unsafe drops columns without a field.
package main

import (
	"github.com/jmoiron/sqlx"
	_ "migrations"
)

func main() {
	db := new(sqlx.DB).Unsafe()
	var note struct{ ID int }
	db.Get(&note, "SELECT id, title FROM notes")
	db.NamedExec("UPDATE notes SET title = :title", note) // want `could not find name title in struct\{ID int\}`
}
