package query

import (
	"context"
	"database/sql"
)

func arguments(ctx context.Context, db *sql.DB, ids []any) {
	db.Exec("DELETE FROM notes WHERE id = ?")                        // want "call has 0 arguments for 1 parameter"
	db.Exec("DELETE FROM notes WHERE id = ?", 1, 2)                  // want "call has 2 arguments for 1 parameter"
	db.ExecContext(ctx, "DELETE FROM notes WHERE id IN (?, ?)", 1)   // want "call has 1 argument for 2 parameters"
	db.QueryRow("SELECT 1 FROM notes WHERE id = ?5", 1)              // want "call has 1 argument for 5 parameters"
	db.Query("SELECT 1 FROM notes WHERE id = $1 OR author = $2", 1)  // want "call has 1 argument for 2 parameters"
	db.Query("SELECT 1 FROM notes WHERE id = :id AND words = :n", 1) // want "call has 1 argument for 2 parameters"
	db.Query("SELECT 1 FROM notes", 1)                               // want "call has 1 argument for 0 parameters"

	db.Exec("DELETE FROM notes WHERE id = ?1 OR author = ?1", 1)
	db.Exec("DELETE FROM notes WHERE id = :id OR author = :id", 1)
	db.Exec("DELETE FROM notes WHERE id IN (?, ?)", ids...)
}

func named(db *sql.DB, arg sql.NamedArg) {
	db.Exec("DELETE FROM notes WHERE id = :id", sql.Named("ID", 1))                              // want `argument "ID" names no parameter` "parameter :id has no argument"
	db.Exec("DELETE FROM notes WHERE id = @id AND title = $title", sql.Named("id", 1))           // want `parameter \$title has no argument`
	db.Exec("DELETE FROM notes WHERE id = :id AND title = ?", sql.Named("id", 1))                // want `parameter \?2 has no argument`
	db.Exec("DELETE FROM notes WHERE id = :id AND title = :t", arg, sql.Named("x", 1))           // want `argument "x" names no parameter`
	db.Exec("DELETE FROM notes WHERE id = :id", sql.Named("id", 1), sql.Named("title", "title")) // want `argument "title" names no parameter`

	db.Exec("DELETE FROM notes WHERE id = :id AND title = @title", sql.Named("title", 1), sql.Named("id", 1))
	db.Exec("DELETE FROM notes WHERE id = :id AND title = :t", arg, sql.Named("t", 1))
}

func prepared(ctx context.Context, db *sql.DB) {
	stmt, _ := db.Prepare("SELECT id, title FROM notes WHERE id = ?")
	stmt.Query()                                // want "call has 0 arguments for 1 parameter"
	stmt.QueryRowContext(ctx, 1).Scan(new(int)) // want "Scan has 1 destination for 2 columns"
	stmt.QueryContext(ctx, 1)
	rows, _ := stmt.Query(1)
	rows.Scan() // want "Scan has 0 destinations for 2 columns"

	later, _ := db.Prepare("SELECT 1")
	later, _ = db.Prepare("SELECT ?")
	later.Query() // want "call has 0 arguments for 1 parameter"

	later.Query(both())
	later.QueryRow(1).Scan(both())

	either, _ := db.Prepare("SELECT 1")
	if ctx.Err() != nil {
		either, _ = db.Prepare("SELECT ?")
	}
	either.Query(1, 2, 3)
}

func both() (any, any) { return 1, 2 }
