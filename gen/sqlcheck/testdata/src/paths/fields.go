package paths

import "database/sql"

type statements struct {
	find, list string
	Open       string
	changed    string
	grows      string
	get, rows  *sql.Stmt
	either     *sql.Stmt
}

type pair struct{ first, second string }

type generic[T any] struct{ query string }

func newStatements(db *sql.DB, all bool) (*statements, error) {
	s := &statements{
		find:    "SELECT titel FROM notes WHERE id = ?", // want "at version 0007: no such column: titel"
		list:    "SELECT title FROM notes",
		Open:    "SELECT titel FROM notes", // want "at version 0007: no such column: titel"
		changed: "SELECT title FROM notes",
		grows:   "SELECT title FROM notes",
	}
	if all {
		s.changed = "SELECT title FROM notes WHERE id = ?"
		s.grows += " WHERE id = ?"
	}
	var err error
	if s.get, err = db.Prepare("SELECT id, title FROM notes WHERE id = ?"); err != nil {
		return nil, err
	}
	rows, err := db.Prepare("SELECT id FROM notes")
	s.rows = rows
	s.either, _ = db.Prepare("SELECT 1")
	if all {
		s.either, _ = db.Prepare("SELECT ?")
	}
	return s, err
}

func (s *statements) use(db *sql.DB, p pair, g generic[int]) {
	db.Query(s.find, 1)
	db.Query(s.list, 1)                                            // want "call has 1 argument for 0 parameters"
	s.get.QueryRow(1).Scan(new(int))                               // want "Scan has 1 destination for 2 columns"
	s.get.Query()                                                  // want "call has 0 arguments for 1 parameter"
	s.rows.Query(1)                                                // want "call has 1 argument for 0 parameters"
	_ = pair{"SELECT titel FROM notes", "SELECT title FROM notes"} // want "at version 0007: no such column: titel"
	db.Query(p.first)
	_ = generic[int]{query: "SELECT titel FROM notes"} // want "at version 0007: no such column: titel"
	db.Query(g.query)

	db.Query(s.list)
	db.Query(s.changed)
	db.Query(s.changed, 1)
	db.Query(s.grows, 1)
	db.Query(s.Open)
	db.Query(p.second)
	s.get.QueryRow(1).Scan(new(int), new(string))
	s.either.Query(1)
}

type row struct{ query string }

func rows(db *sql.DB, r *row) {
	_ = []*row{{query: "SELECT title FROM notes WHERE id = ?"}, {query: "SELECT title FROM notes"}}
	r.query = "SELECT title FROM notes"
	db.Query(r.query, 1)
}
