package main

import "github.com/jmoiron/sqlx"

type statements struct {
	get, list *sqlx.Stmt
	save      *sqlx.NamedStmt
}

func prepare(db *sqlx.DB) (s statements) {
	s.get, _ = db.Preparex("SELECT id, title FROM notes WHERE id = ?")
	s.list, _ = db.Preparex("SELECT id, name FROM users")
	s.save, _ = db.PrepareNamed("UPDATE notes SET title = :title WHERE id = :id RETURNING body")
	return s
}

func (s statements) use(db *sqlx.DB, id int, name string, one note, all []note, some []user) {
	s.get.Get(&one)                         // want "call has 0 arguments for 1 parameter"
	s.list.Select(&some)                    // want "missing destination name name in main.user"
	s.get.Get(&name, id)                    // want "Scan has 1 destination for 2 columns"
	s.get.QueryRow(id).Scan(&id)            // want "Scan has 1 destination for 2 columns"
	s.save.Exec(user{})                     // want "could not find name title in main.user"
	s.save.Get(&some[0], one)               // want "missing destination name body in main.user"
	s.save.QueryRowx(one).StructScan(&some) // want "missing destination name body in main.user"
	db.QueryRowx("SELECT body, id FROM notes").StructScan(&one)
	db.QueryRowx("SELECT body, id AS nr FROM notes").StructScan(&one) // want "missing destination name nr in main.note"
	rows, _ := s.list.Queryx()
	rows.StructScan(&one) // want "missing destination name name in main.note"
	for rows.Next() {
		rows.StructScan(&some[0]) // want "missing destination name name in main.user"
	}

	s.get.Get(&one, id)
	s.get.Select(&all, id)
	s.save.Exec(one)
	s.save.Exec(map[string]any{"other": 1})
	s.save.Get(&name, one)
	global.Get(&one, id)
	global.Get(&one) // want "call has 0 arguments for 1 parameter"
}

var global *sqlx.Stmt

func open(db *sqlx.DB) { global, _ = db.Preparex("SELECT id FROM notes WHERE id = ?") }
