// Package squirreluser builds statements with squirrel.
package squirreluser

import (
	"database/sql"

	sq "github.com/Masterminds/squirrel"

	_ "migrations"
)

var psql = sq.StatementBuilder.PlaceholderFormat(sq.Dollar)

type store struct{ build sq.StatementBuilderType }

func chains(db *sql.DB, s *store, id int, title any) {
	sq.Select("id", "titel").From("notes").ToSql()                                             // want "at version 0007: no such column: titel"
	psql.Select("id").From("note").Limit(5).ToSql()                                            // want "at version 0007: no such table: note"
	s.build.Select("id").From("notes").Where("titel = ?", title).RunWith(db).Query()           // want "at version 0007: no such column: titel"
	sq.Select("id").From("notes").Where(sq.Eq{"title": title, "titel": id}).ToSql()            // want "at version 0007: no such column: titel"
	sq.Select("id").From("notes").Where(sq.Or{sq.Gt{"id": 1}, sq.Expr("idd = ?", id)}).ToSql() // want "at version 0007: no such column: idd"
	sq.Select("id").From("notes").Where("id = ? OR author = ?", id).ToSql()                    // want "call has 1 argument for 2 parameters"
	sq.Select("n.id", "u.nam").From("notes n").LeftJoin("users u ON u.id = n.author").ToSql()  // want "at version 0007: no such column: u.nam"
	sq.Select("title").FromSelect(sq.Select("id").From("notes"), "n").ToSql()                  // want "at version 0007: no such column: title"
	sq.Insert("notes").Columns("body").Values("a").ToSql()                                     // want "at version 0007: NOT NULL constraint failed: notes.title: the INSERT gives it no value"
	sq.Insert("users").Columns("id", "name").Values(1, "a").Values(2).ToSql()                  // want "at version 0007: all VALUES must have the same number of terms"
	sq.Insert("users").Options("OR IGNORE").Columns("id").Values(1).ToSql()                    // want "at version 0007: the INSERT OR IGNORE inserts nothing: it gives no value to users.name, which is NOT NULL"
	sq.Insert("users").SetMap(map[string]any{"nam": "a"}).ToSql()                              // want "at version 0007: table users has no column named nam"
	sq.Update("notes").Set("titel", title).Where(sq.Eq{"id": id}).ToSql()                      // want "at version 0007: no such column: titel"
	sq.Update("notes").SetMap(sq.Eq{"titel": title}).ToSql()                                   // want "at version 0007: no such column: titel"
	sq.Delete("notes").Where("id = ?", id, id).ToSql()                                         // want "call has 2 arguments for 1 parameter"
	sq.Select("id", "title").From("notes").RunWith(db).QueryRow().Scan(&id)                    // want "Scan has 1 destination for 2 columns"
	sq.Select("id", "title").From("notes").RunWith(db).Scan(&id)                               // want "Scan has 1 destination for 2 columns"

	sq.Select("n.id", "u.name").Column("title = ?", title).From("notes n").LeftJoin("users u ON u.id = n.author AND u.name = ?", "a").
		Where("n.id IN (SELECT note FROM tags WHERE tag = ?)", "a").Where(sq.Eq{"n.author": []int{1, 2}}).Where("").
		GroupBy("n.id").OrderBy("u.name DESC", "1").Limit(3).ToSql()
	sq.Select().Columns("id").Prefix("WITH a AS (SELECT ?)", 1).From("notes").ToSql()
	sq.Select("title").FromSelect(sq.Select("title").From("notes").Where("id = ?", id), "n").ToSql()
	sq.Insert("users").Columns("name").Values("a").Values(sq.Expr("upper(?)", "b")).Values(title).RunWith(db).Exec()
	sq.Insert("tags").Columns("note", "tag").Select(sq.Select("id", "title").From("notes")).ToSql()
	sq.Insert("users").SetMap(map[string]any{"id": id, "name": "a"}).ToSql()
	sq.Update("notes").Set("body", sq.Expr("body || ?", "a")).Set("title", title).Where("id = ?", id).ToSql()
	sq.Select("id").From("notes").Where("author = ? AND", 1).Suffix("id = 1", 1).RemoveColumns().ToSql()
	sq.Select("id").From("notes").RunWith(db).Scan(&id)
}

func paths(db *sql.DB, ids []int, where sq.Sqlizer, column string, args []any, all bool) error {
	filtered := sq.Select("id", "title").From("notes")
	if !all {
		filtered = filtered.Where("autor = ?", 1) // want "at version 0007: no such column: autor"
	}
	filtered.RunWith(db).Query()

	q := sq.Select("id", "title").From("notes")
	if len(ids) > 0 {
		q = q.Where("author = ? AND id > ?", 1) // want "call has 1 argument for 2 parameters"
	} else {
		q = q.Where(sq.Eq{"author": 1}).Where("title LIKE ?", args...)
	}
	query, args, err := q.ToSql()
	if err != nil {
		return err
	}
	rows, err := db.Query(query, args...)
	var id int
	rows.Scan(&id) // want "Scan has 1 destination for 2 columns"

	insert := psql.Insert("users").Columns("id", "name")
	for id := range ids {
		insert = insert.Values(id, "a")
	}
	insert.ToSql()
	wrong := psql.Insert("users").Columns("id", "nam") // want "at version 0007: table users has no column named nam"
	for id := range ids {
		wrong = wrong.Values(id, "a")
	}
	wrong.ToSql()

	sq.Select("id").From("notes").Where(where).Where("titel = 1").ToSql() // want "at version 0007: no such column: titel"
	sq.Select("id").From("notes").Where(where).Where("title = 1").ToSql()
	sq.Select(column).From("notes").Where(sq.Eq{column: 1}).ToSql()
	return build(q)
}

func build(q sq.SelectBuilder) error {
	_, _, err := q.Where("anything = 1").ToSql()
	return err
}

func parts(db *sql.DB, id int) (string, []any, error) {
	sub, args, _ := sq.Select("1").From("tags").Where("tags.note = notes.id").ToSql()
	db.Query("SELECT id FROM notes WHERE EXISTS ("+sub+")", args...)
	wrapped, args, _ := sq.Select("1").From("tags").Where("tags.note = notes.id").ToSql()
	sq.Select("id").From("notes").Where(exists(wrapped), args...).RunWith(db).Query()
	wrong, _, _ := sq.Select("1").From("tags").Where("tags.labels = 1 AND tags.note = notes.id").ToSql() // want "at version 0007: no such column: tags.labels"
	exists(wrong)

	more, args, _ := sq.Select("id").From("notes").Where("id = ? AND author = ?", id).ToSql()
	args = append(args, 1)
	db.Query(more, args...)
	db.Query(more, 1, 2)
	db.Query(more, 1) // want "call has 1 argument for 2 parameters"
	return sq.Select("1").From("tags").Where("tags.note = notes.id").ToSql()
}

func exists(query string) string { return "EXISTS (" + query + ")" }

func spread(db *sql.DB) {
	sq.Update("notes").Set(column()).RunWith(db).Exec()
	sq.Select("id").From("notes").Where(column()).Where("titel = 1").RunWith(db).Query() // want "at version 0007: no such column: titel"
	sq.Insert("users").Columns("id", "name").Values(column()).RunWith(db).Exec()
	sq.Select("id").FromSelect(subquery()).RunWith(db).Query()
}

func nested(db *sql.DB) {
	notes := sq.Select("id").From("notes")
	sq.Select("*").From("n").Prefix("WITH n AS (?)", notes).RunWith(db).Query()
	sq.Select("n.id").Prefix("WITH n AS (").PrefixExpr(notes).Prefix(")").From("n").RunWith(db).Query()
	sq.Select("n.title").Prefix("WITH n AS (").PrefixExpr(notes).Prefix(")").From("n").RunWith(db).Query() // want "at version 0007: no such column: n.title"
	sq.Update("notes").Set("author", sq.Select("max(id)").From("users")).RunWith(db).Exec()
	sq.Update("notes").Set("author", sq.Select("max(idd)").From("users")).RunWith(db).Exec() // want "at version 0007: no such column: idd"
	sq.Select("id").FromSelect(notes, "n").RunWith(db).Query()
}

func column() (string, any) { return "", nil }

func subquery() (sq.SelectBuilder, string) { return sq.Select(), "" }
