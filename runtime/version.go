package lockstep

import (
	"fmt"
	"io/fs"
)

// Format1 is the form of generated file that this version of the runtime reads.
//
// A compile error at "const _ = lockstep.Format1" in a lockstep_gen.go means that
// the generator and this package are not of the same release: update the one
// that is older (go get github.com/lockstep-db/lockstep@latest), then run
// go generate ./...
const Format1 = 1

// A Version is the number of the last migration that a database has been
// through. 0 is an empty database under management.
type Version int

// String returns the version as it stands in file names: "0011".
func (v Version) String() string { return fmt.Sprintf("%04d", int(v)) }

// A Migration is one numbered file. It takes a database from the version before
// it to its own.
type Migration struct {
	Version  Version
	File     string   // "0011-one-more-thing.sql"
	Checksum string   // of the file's substance: "t1:…"
	Ends     []int    // where each statement ends, in tokens
	Program  Program  // what runs if the file is not SQL, else nil
	Accepted []string // checksums of earlier texts that are out there and count as this one
}

// A Schema is what a program expects of its database. It is generated: the
// variable Schema of a migrations package.
type Schema struct {
	Expected    Version
	Files       fs.FS       // holds the migrations and nothing else that is named like one
	Migrations  []Migration // oldest first
	Digest      string      // identifies all migrations, by number and checksum
	SQL         string      // the schema at Expected, in SQLite's own wording
	Fingerprint string      // of SQL
}
