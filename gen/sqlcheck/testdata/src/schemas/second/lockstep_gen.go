package second

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 3

const SchemaSQL = `CREATE TABLE orders (
	id INTEGER PRIMARY KEY,
	total TEXT
);
`
