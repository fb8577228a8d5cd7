package directive

import (
	"database/sql"

	_ "migrations"
)

func ignored(db *sql.DB) {
	db.Query("SELECT titel FROM notes") //lockstep:ignore comes with the next release
	//lockstep:ignore comes with the next release
	db.Query("SELECT titel FROM notes")
	db.Query(` //lockstep:ignore is a part of the string
		SELECT titel FROM notes`) //lockstep:ignore comes with the next release
	db.QueryRow("SELECT titel FROM notes WHERE id = ?", 1)  //lockstep:ignore sql: comes with the next release
	db.QueryRow("SELECT id FROM notes WHERE id = ?")        //lockstep:ignore args: the driver fills it in
	db.QueryRow("SELECT id FROM notes WHERE id = ?").Scan() /* want "Scan has 0 destinations for 1 column" */ //lockstep:ignore args: the driver fills it in
	db.Query("SELECT titel FROM notes")                     /* want "//lockstep:ignore needs a reason" */     //lockstep:ignore
	db.Query("SELECT title FROM notes")                     /* want "//lockstep:ignore silences nothing" */   //lockstep:ignore it is right now
	db.Query("SELECT title FROM notes")                     /* want "//lockstep:ignroe: unknown directive" */ //lockstep:ignroe it is right now
}
