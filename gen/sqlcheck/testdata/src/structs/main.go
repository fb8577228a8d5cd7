// Command structs has rows and arguments in structs.
package main

import (
	"time"

	"github.com/jmoiron/sqlx"
	_ "migrations"
)

type note struct {
	ID     int
	Name   string `db:"title"`
	Author *user  `db:"author"`
	base
	hidden string
}

type base struct {
	Words int    `db:"words,omitempty"`
	Body  string `json:"text" column:"body"`
}

type user struct {
	ID       int
	UserName string
}

type tags []string

func (*tags) Scan(any) error { return nil }

func main() {}

func store(db *sqlx.DB, id, n int, names []string, into any, at time.Time) {
	var one note
	var all []note
	var some []*user
	var list tags
	db.Get(&one, "SELECT id, title, tag FROM notes, tags")              // want "missing destination name tag in main.note"
	db.Select(&all, "SELECT id, title AS titel FROM notes")             // want "missing destination name titel in main.note"
	db.Select(&some, "SELECT id, name FROM users")                      // want "missing destination name name in main.user"
	db.Get(&one, "SELECT count(*) FROM notes")                          // want `missing destination name count\(\*\) in main.note`
	db.Get(&one, "SELECT title AS hidden FROM notes")                   // want "missing destination name hidden in main.note"
	db.Get(&n, "SELECT id, title FROM notes")                           // want "Scan has 1 destination for 2 columns"
	db.Get(&n, "SELECT max(id) FROM notes")                             // want `Scan cannot store NULL in int: max\(id\) is NULL without rows`
	db.NamedExec("UPDATE notes SET title = :other WHERE id = :id", one) // want "could not find name other in main.note"
	db.NamedExec("INSERT INTO users (name) VALUES (:user_name2)", some) // want "could not find name user_name2 in main.user"

	query := "SELECT title AS heading FROM notes"
	if n > 0 {
		query += " WHERE id > 0"
	}
	db.Get(&one, query) // want "missing destination name heading in main.note"

	db.Get(&one, "SELECT id, title, body, words FROM notes")
	db.Get(&one, `SELECT n.id, n.title, u.id AS "author.id", u.name AS "author.user_name" FROM notes AS n JOIN users AS u`)
	db.Select(&all, "SELECT id FROM notes WHERE id = ?", id)
	db.Select(&some, "SELECT id, name AS user_name FROM users")
	db.Select(&some, "SELECT id, name AS username FROM users")
	db.Select(&names, "SELECT title FROM notes")
	db.Get(&list, "SELECT title FROM notes")
	db.Get(into, "SELECT id, title FROM notes")
	db.Get(&at, "SELECT title FROM notes")
	db.NamedExec("UPDATE notes SET title = :title, author = :author.id WHERE id = :id", one)
	db.NamedExec("UPDATE notes SET title = :other", map[string]any{"other": 1})
}
