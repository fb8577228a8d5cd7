package query

import (
	"database/sql"
	"time"
)

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

type words []string

func (*words) Scan(any) error { return nil }

type instant time.Time

func destinations(db *sql.DB, number int64, text string, maybe *string, null sql.NullInt64, raw []byte, value any) {
	var at time.Time
	var when instant
	var list []string
	var scanned words
	var box struct{ id int }
	db.QueryRow("SELECT max(id) FROM notes").Scan(&number)                                                 // want `Scan cannot store NULL in int64: max\(id\) is NULL without rows`
	db.QueryRow("SELECT count(*), group_concat(title, ',') AS all_titles FROM notes").Scan(&number, &text) // want `Scan cannot store NULL in string: group_concat\(title, ','\) is NULL without rows`
	db.QueryRow("SELECT sum(length(title)) FROM notes WHERE id > 5").Scan(&number)                         // want `Scan cannot store NULL in int64: sum\(length\(title\)\) is NULL without rows`
	db.QueryRow("SELECT id, title, body FROM notes").Scan(&at, &list, &box)                                // want "Scan cannot store column 1, which is INTEGER, in time.Time" `Scan cannot store column 2 in \[\]string` `Scan cannot store column 3 in struct\{id int\}`

	db.QueryRow("SELECT max(id), max(id), max(title), max(id) FROM notes").Scan(&null, &value, &maybe, &raw)
	db.QueryRow("SELECT count(*), total(id), max(1, 2), coalesce(max(id), 0), ifnull(sum(id), 0) + 1 FROM notes").Scan(&number, &number, &number, &number, &number)
	db.QueryRow("SELECT max(id) FROM notes GROUP BY author").Scan(&number)
	db.QueryRow("SELECT max(id) FROM notes HAVING count(*) > 0").Scan(&number)
	db.QueryRow("SELECT max(n) FROM (SELECT count(*) AS n FROM notes)").Scan(&number)
	db.QueryRow("SELECT max(id) OVER () FROM notes").Scan(&number)
	db.QueryRow("SELECT max(id) FROM notes UNION SELECT 1").Scan(&number)
	db.QueryRow("SELECT max(1)").Scan(&number)
	db.QueryRow("SELECT max(id) IS NULL FROM notes").Scan(&number)
	db.QueryRow("SELECT max(version) FROM _meta").Scan(&number)
	db.QueryRow("SELECT title, body, title, weight FROM notes, parcels").Scan(&at, &scanned, &when, &at)
}
