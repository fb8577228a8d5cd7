package app

import (
	"context"

	_ "migrations"
	"wrapper/database"
)

func app(ctx context.Context, db *database.DB) {
	db.Each(ctx, nil, "SELECT titel FROM notes")               // want "at version 0007: no such column: titel"
	database.One[int](db, "SELECT id FROM notes WHERE id = ?") // want "call has 0 arguments for 1 parameter"
	database.One[string](db, "SELECT titel FROM notes")        // want "at version 0007: no such column: titel"
	db.Row("SELECT id, title FROM notes").Scan(nil)            // want "Scan has 1 destination for 2 columns"
	db.Each(ctx, nil, "SELECT title FROM notes WHERE id = ?", 1, 2)
	db.Limited("SELECT title FROM notes WHERE id = ?")
	db.Named("titel")
}
