// Package constant has strings that reach no call of which the analyzer knows that
// it is one to a database.
package constant

import (
	"errors"
	"fmt"
	"strings"

	_ "migrations"
)

const list = "SELECT titel FROM notes" // want "at version 0007: no such column: titel"

const (
	joined = "SELECT t.tag, n.titel FROM notes AS n JOIN tags AS t ON t.note = n.id" // want "at version 0007: no such column: n.titel"
	other  = "SELECT id FROM accounts"
	both   = "SELECT id FROM notes WHERE author IN (SELECT id FROM accounts)" // want "at version 0007: no such table: accounts"
	begin  = "SELECT n.id, t.tag FROM notes AS n"
	prose  = "Select a note from notes"
	plain  = "select a note from notes"
	format = "SELECT %s FROM notes WHERE titel"
	syntax = "SELECT FROM notes"
	tagged = "SELECT n.id, t.tags FROM notes AS n"
	right  = "SELECT title FROM notes"
)

const (
	columns  = "id, titel" // want "at version 0007: no such column: titel"
	together = "SELECT id, " +
		"titel" + // want "at version 0007: no such column: titel"
		" FROM notes"
	named  = "SELECT " + columns + " FROM notes"
	filled = "SELECT title " + ("FROM notes" + " WHERE ") + "id = ?"
	begins = "SELECT n.id, " + "t.tags" + " FROM notes AS n"
)

var statements = map[string]string{
	"titles": "UPDATE notes SET titel = ?", // want "at version 0007: no such column: titel"
	"ids":    "UPDATE notes SET id = ?",
}

type orm struct{}

func (orm) Raw(string) {}

func use(db orm, b *strings.Builder) error {
	db.Raw("INSERT INTO notes (titel) VALUES (?)") // want "at version 0007: table notes has no column named titel"
	local := "DELETE FROM notes WHERE titel = ?"   // want "at version 0007: no such column: titel"
	db.Raw(local)
	db.Raw(begins + " JOIN (SELECT 1 AS tags) AS t")
	db.Raw(begin + " JOIN tags AS t ON t.note = n.id")
	grows := "SELECT n.id, t.tag FROM notes AS n"
	grows += " JOIN tags AS t ON t.note = n.id"
	db.Raw(grows)
	b.WriteString("SELECT n.id, t.tag FROM notes AS n")
	fmt.Println("SELECT titel FROM notes")
	insert("WITH fresh (tag) AS (VALUES (?)) ", "SELECT n.id, fresh.tag FROM notes AS n, fresh")
	db.Raw("SELECT n.id FROM notes AS n, fresh")
	insert("", "SELECT titel FROM notes")
	one("SELECT titel FROM notes") // want "at version 0007: no such column: titel"
	return errors.New("SELECT titel FROM notes")
}

func insert(with, query string) string { return with + "INSERT INTO tags " + query }

func one(query string) { orm{}.Raw(query) }
