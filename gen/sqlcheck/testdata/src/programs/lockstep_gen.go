// Package programs is a migrations package with a migration in Go.
package programs

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 9

const SchemaSQL = `CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
`
