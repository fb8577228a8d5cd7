// Package dialect has SQL of other databases.
package dialect

import (
	"database/sql"

	_ "migrations"
)

func casts(db *sql.DB, titles any) {
	db.Query("SELECT id FROM notes WHERE title = ANY($1::text[])", titles)
	db.Query("SELECT id FROM notes WHERE id = $1::int OR author = $1", titles)
	db.Query("SELECT id FROM notes WHERE id = :id::bigint", titles, titles)
	db.Query("SELECT id FROM notes WHERE id = ?::bigint", titles, titles)
	db.Query("SELECT titel FROM notes WHERE id = $1::bigint")
	db.Query("SELECT id::text FROM notes")
	db.Query("SELECT (id)::text FROM notes")
	db.Query("SELECT id FROM notes WHERE title = '::' AND id = ?") // want "call has 0 arguments for 1 parameter"
	db.Query("SELECT id FROM notes WHERE title = 'a::b' AND")      // want "at version 0007: incomplete input"
}

func postgres(db *sql.DB) {
	db.Query("SELECT id FROM notes WHERE id = ANY(ARRAY[1, 2])")
	db.Query("SELECT id FROM notes WHERE id = ALL (VALUES (1))")
	db.Query("SELECT (array_agg(id))[1] FROM notes")
	db.Query("SELECT id FROM notes WHERE title ~* '^a'")
	db.Query("SELECT id FROM notes WHERE body @> '{}'")
	db.Query("SELECT id FROM notes WHERE body ? 'key'")
	db.Query("SELECT id FROM notes WHERE body ?| 'key'")
	db.Query("SELECT id FROM notes WHERE body && 'key'")
	db.Query(`SELECT id FROM notes WHERE title = E'a\n'`)
	db.Query("SELECT id FROM notes WHERE title = $$a$$")
	db.Query("SELECT DISTINCT ON (author) id FROM notes")
	db.Query("SELECT extract(epoch FROM body) FROM notes")
	db.Query("SELECT trim(both ' ' FROM title) FROM notes")
	db.Query("SELECT substring(title FROM 1 FOR 2) FROM notes")
	db.Query("SELECT body AT TIME ZONE 'UTC' FROM notes")
	db.Query("SELECT id FROM notes FETCH FIRST 5 ROWS ONLY")
	db.Query("SELECT id FROM notes FOR NO KEY UPDATE SKIP LOCKED")
	db.Query("SELECT author FROM notes GROUP BY ROLLUP (author)")
	db.Exec("INSERT INTO notes (id, title) VALUES (DEFAULT, 'a')")
	db.Exec("INSERT INTO notes (title) VALUES ('a') ON CONFLICT ON CONSTRAINT one DO NOTHING")
	db.Exec("DELETE FROM notes USING users WHERE notes.author = users.id")
	db.Exec("UPDATE notes SET body = DEFAULT")
	db.Query("SELECT id FROM notes WHERE body > DATE '2024-01-01' LIMIT ALL")
	db.Query("SELECT id FROM notes INTERSECT ALL SELECT id FROM users")
	db.Query("SELECT id FROM public.notes WHERE id = 2 ^ 3")
	db.Query("SELECT relname FROM pg_class")
	db.Query("SELECT table_name FROM information_schema.tables")
	db.Query("SELECT ctid FROM notes")
}

func others(db *sql.DB) {
	db.Exec("INSERT IGNORE INTO notes (title) VALUES ('a')")
	db.Exec("UPDATE notes n JOIN users u ON u.id = n.author SET n.body = u.name")
	db.Exec("DELETE n FROM notes n JOIN users u ON u.id = n.author")
	db.Query("SELECT id FROM notes USE INDEX (notes_by_host)")
	db.Query(`SELECT id FROM notes WHERE title = 'it\'s'`)
	db.Query("SELECT id FROM notes # all")
	db.Query("SELECT id FROM notes WHERE title <=> NULL")
	db.Query("SELECT left(title, 1) FROM notes")
	db.Query("SELECT id DIV 2 FROM notes")
	db.Query("SELECT id FROM notes LOCK IN SHARE MODE")
	db.Query("SELECT TOP 5 id FROM notes")
	db.Query("SELECT id FROM notes WITH (NOLOCK)")
	db.Query("SELECT id FROM notes WHERE title = N'a'")
	db.Query("SELECT id FROM notes ORDER BY id OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY")
	db.Query("SELECT 1 FROM dual")
	db.Query("SELECT @@version")
	db.Query("SELECT group_concat(title SEPARATOR ', ') FROM notes")
	db.Exec("INSERT INTO notes SET title = 'a'")
	db.Query("SELECT id FROM notes WHERE rownum < 5")
	db.Query("SELECT id FROM notes, users WHERE author = users.id(+)")
}

func mistakes(db *sql.DB) {
	db.Query("SELECT day FROM notes")                                                  // want "no such column: day"
	db.Query("SELECT upcase(heading) FROM notes")                                      // want "no such column: heading"
	db.Query("SELECT id FROM notes WHERE title LIKE '%~%' AN id = 1")                  // want `near "AN": syntax error`
	db.Query("SELECT id FROM notes WHERE title = 'for update' ORDER id")               // want `near "id": syntax error`
	db.Query("SELECT id, FROM notes UNION ALL SELECT 1")                               // want `near "FROM": syntax error`
	db.Exec("INSERT INTO notes (title) VALUES ('e''x', ) -- DISTINCT ON (")            // want `near "\)": syntax error`
	db.Exec("DELETE notes WHERE id = 1")                                               // want `near "notes": syntax error`
	db.Query(`SELECT [id] FROM notes WHERE "id" = 1 GROUP`)                            // want "incomplete input"
	db.Exec("UPDATE notes SET id = (SELECT n.id FROM notes n JOIN users) WHER id = 1") // want `near "WHER": syntax error`
}
