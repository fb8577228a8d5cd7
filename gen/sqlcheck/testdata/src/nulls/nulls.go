// Package nulls scans what is NULL for sure, and what only may be.
package nulls

import (
	"database/sql"
	"time"
)

func leftJoin(db *sql.DB, id, n int, name string, at time.Time, maybe *string, null sql.NullString, value any) {
	db.QueryRow("SELECT n.id, u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author").Scan(&id, &name)                                                              // want `Scan cannot store NULL in string: users.name is NULL where the LEFT JOIN finds no row`
	db.QueryRow("SELECT users.name, coalesce(users.id, 0) FROM notes LEFT OUTER JOIN users ON users.id = author WHERE notes.id = ? ORDER BY 1 LIMIT 1", id).Scan(&name, &id) // want `Scan cannot store NULL in string: users.name is NULL where the LEFT JOIN finds no row`
	db.QueryRow("SELECT u.born FROM notes n LEFT JOIN users u ON u.id = n.author").Scan(&at)                                                                                 // want `Scan cannot store NULL in time.Time: users.born is NULL where the LEFT JOIN finds no row`
	db.QueryRow("SELECT n.id, t.tag FROM notes n LEFT JOIN users u ON u.id = n.author LEFT JOIN tags t ON t.id = n.id").Scan(&id, &name)                                     // want `Scan cannot store NULL in string: tags.tag is NULL where the LEFT JOIN finds no row`

	db.QueryRow("SELECT u.name, u.name, u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author").Scan(&maybe, &null, &value)
	db.QueryRow("SELECT n.title, coalesce(u.name, '') FROM notes AS n LEFT JOIN users AS u ON u.id = n.author").Scan(&name, &name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.editor").Scan(&name)
	db.QueryRow("SELECT c.n FROM notes AS n LEFT JOIN counts AS c ON c.note = n.id").Scan(&n)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author WHERE u.name > ''").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author WHERE n.author IS NOT NULL").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author WHERE n.title = 'a'").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author JOIN tags ON tags.id = u.id").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author GROUP BY u.id").Scan(&name)
	db.QueryRow("SELECT min(n.id), u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author").Scan(&value, &name)
	db.QueryRow("SELECT u.name FROM notes AS n JOIN users AS u ON u.id = n.author").Scan(&name)
	db.QueryRow("SELECT u.name FROM users AS u LEFT JOIN notes AS n ON u.id = n.author").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author UNION SELECT title FROM notes").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON u.id = n.author, tags").Scan(&name)
	db.QueryRow("SELECT u.name FROM notes AS n LEFT JOIN users AS u ON 1").Scan(&name)
}

func added(db *sql.DB, id int, color string, weight float64, null *string) {
	db.QueryRow("SELECT color FROM notes WHERE id = ?", id).Scan(&color)             // want `Scan cannot store NULL in string: notes.color is NULL in rows from before it was added`
	db.QueryRow("SELECT id, color AS c FROM notes ORDER BY color").Scan(&id, &color) // want `Scan cannot store NULL in string: notes.color is NULL in rows from before it was added`

	db.QueryRow("SELECT color FROM notes WHERE notes.id = $1", id).Scan(&color) // want `notes.color is NULL in rows from before it was added`

	db.QueryRow("SELECT color, weight FROM notes WHERE id = ?", id).Scan(&null, &weight)
	db.QueryRow("SELECT ifnull(color, '') FROM notes WHERE id = ?", id).Scan(&color)
	db.QueryRow("SELECT color FROM notes WHERE color = ?", "red").Scan(&color)
	db.QueryRow("SELECT color FROM notes WHERE id = ? AND title > ''", id).Scan(&color)
	db.QueryRow("SELECT tag FROM tags").Scan(&color)
	db.QueryRow("SELECT born FROM users").Scan(&color)
}
