package query

import "database/sql"

func scan(db *sql.DB, dest []any) error {
	var id int
	var title string
	db.QueryRow("SELECT id, title FROM notes").Scan(&id)         // want "Scan has 1 destination for 2 columns"
	db.QueryRow("SELECT * FROM users").Scan(&id)                 // want "Scan has 1 destination for 2 columns"
	db.QueryRow("DELETE FROM users").Scan(&id)                   // want "Scan has 1 destination, but the statement returns no rows"
	db.QueryRow("DELETE FROM users RETURNING id").Scan(&id, nil) // want "Scan has 2 destinations for 1 column"
	row := db.QueryRow("SELECT id FROM notes")
	row.Scan(&id, &title) // want "Scan has 2 destinations for 1 column"

	rows, err := db.Query("SELECT id, title, body FROM notes")
	if err != nil {
		return err
	}
	for rows.Next() {
		rows.Scan(&id, &title) // want "Scan has 2 destinations for 3 columns"
		rows.Scan(&id, &title, &title)
	}

	db.QueryRow("SELECT id, title FROM notes").Scan(dest...)
	more, err := db.Query("SELECT id FROM notes")
	if id > 0 {
		more, err = db.Query("SELECT id, title FROM notes")
	}
	more.Scan(&id, &title)
	return err
}
