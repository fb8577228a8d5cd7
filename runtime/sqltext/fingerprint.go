package sqltext

// An Object is one row of sqlite_schema that has SQL.
//
// https://sqlite.org/schematab.html
type Object struct {
	Type  string // "table", "index", "view" or "trigger"
	Name  string
	Table string // tbl_name
	SQL   string // in SQLite's own wording
}

// A Difference is an object that is not what it should be.
type Difference struct {
	Type, Name string
	Want       string // SQL of the object
	Found      string // SQL of the object found, or "" if there is none
	Detail     string // one line: what differs, expected beside found
}
