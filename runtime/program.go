package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// A Program is a migration that is not SQL. Generated code makes one with [Go] for a .go
// file, and with package script for a .py or .sh file.
type Program interface {
	// Checksum returns the checksum of the file's text: what has to stay the same
	// for it to be the same migration.
	Checksum(text []byte) string
}

// runProgram runs a migration that is not SQL. It asks for the method, and not for the
// type, so that what a kind of migration needs is linked only into programs that have one.
func (u *upgrade) runProgram(ctx context.Context, m *pending) error {
	p, ok := m.Program.(interface {
		run(ctx context.Context, u *upgrade, m *pending) error
	})
	if !ok {
		return fmt.Errorf("nothing is known to run a %T", m.Program)
	}
	return p.run(ctx, u, m)
}

// readOwn reads everything that lockstep has written to the database. (The generator sees
// each statement of a migration in SQL. What a program does is known by what it has done.)
func (u *upgrade) readOwn(ctx context.Context) (string, error) {
	var b strings.Builder
	read := func(q string, see func(text string)) error {
		return u.query(ctx, q, func(scan scanner) error {
			var text sql.NullString
			err := scan(&text)
			b.WriteString(text.String + "\n")
			see(text.String)
			return err
		})
	}
	// A temporary table would hide the one with its name.
	var tables []string
	err := read(`SELECT 'main ' || type || ' ' || name || ' ' || sql FROM sqlite_master WHERE lower(tbl_name) IN ('_meta', '_lockstep_history')
UNION ALL SELECT 'temp ' || type || ' ' || name || ' ' || sql FROM sqlite_temp_master WHERE lower(tbl_name) IN ('_meta', '_lockstep_history')`, func(object string) {
		for _, table := range []string{"_meta", "_lockstep_history"} {
			if strings.HasPrefix(object, "main table "+table+" ") {
				tables = append(tables, table)
			}
		}
	})
	for _, table := range tables {
		columns := "id, version"
		if table == "_lockstep_history" {
			columns = "version, file, checksum, applied_at, duration_ms, program, digest, fingerprint, cookie"
		}
		if err == nil {
			q := "SELECT quote(" + strings.ReplaceAll(columns, ", ", ") || quote(") + ") FROM main." + table + " ORDER BY rowid"
			err = read(q, func(string) {})
		}
	}
	return b.String(), err
}

// compareOwn returns an error if what lockstep wrote is not what it was before.
func (u *upgrade) compareOwn(ctx context.Context, before string) error {
	after, err := u.readOwn(ctx)
	if err == nil && after != before {
		err = errors.New("_meta and _lockstep_history are lockstep's, and the migration has changed them; leave them alone")
	}
	return err
}
