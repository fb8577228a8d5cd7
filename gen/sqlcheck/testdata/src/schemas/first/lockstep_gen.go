package first

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 3

const SchemaSQL = `CREATE TABLE users (
	id INTEGER PRIMARY KEY,
	name TEXT
);
`
