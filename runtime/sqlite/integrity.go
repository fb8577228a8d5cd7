package sqlite

import (
	"context"
	"strconv"
	"strings"
)

// IntegrityCheck returns what SQLite finds wrong with the file and its rows, at most limit
// faults: it also checks NOT NULL, CHECK and UNIQUE, but not foreign keys.
//
// https://sqlite.org/pragma.html#pragma_integrity_check
func IntegrityCheck(ctx context.Context, db DB, limit int) (faults []string, err error) {
	return integrityCheck(ctx, db, "main", strconv.Itoa(limit))
}

// Intact checks an attached database, such as main, or one of its tables. arg is "1" or the
// name of the table, quoted. The error is a [Damage] if SQLite finds a fault.
func Intact(ctx context.Context, db DB, database, arg string) error {
	faults, err := integrityCheck(ctx, db, database, arg)
	if err == nil && len(faults) > 0 {
		err = Damage(strings.ReplaceAll(faults[0], "\n", " "))
	}
	return err
}

// QuickCheck counts the faults that SQLite finds in the database and its rows, by what it
// says of them, which names no row.
//
// https://sqlite.org/pragma.html#pragma_quick_check
func QuickCheck(ctx context.Context, db DB) (map[string]int, error) {
	faults := make(map[string]int)
	err := Each(ctx, db, "PRAGMA main.quick_check(1000000)", func(scan Scan) error {
		var fault string
		err := scan(&fault)
		if fault != "ok" {
			faults[fault]++
		}
		return err
	})
	return faults, err
}

// A Damage is the first fault that SQLite found.
type Damage string

func (d Damage) Error() string { return "integrity_check: " + string(d) }

func integrityCheck(ctx context.Context, db DB, database, arg string) (faults []string, err error) {
	err = Each(ctx, db, "PRAGMA "+database+".integrity_check("+arg+")", func(scan Scan) error {
		var fault string
		err := scan(&fault)
		if fault != "ok" {
			faults = append(faults, fault)
		}
		return err
	})
	return faults, err
}
