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
	return faultsOf(ctx, db, "main.integrity_check("+strconv.Itoa(limit)+")")
}

// Intact checks an attached database, such as main, or one of its tables. arg is "1" or the
// name of the table, quoted. The error is a [Damage] if SQLite finds a fault.
func Intact(ctx context.Context, db DB, database, arg string) error {
	faults, err := faultsOf(ctx, db, database+".integrity_check("+arg+")")
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
	faults, err := faultsOf(ctx, db, "main.quick_check(1000000)")
	count := make(map[string]int)
	for _, fault := range faults {
		count[fault]++
	}
	return count, err
}

// A Damage is the first fault that SQLite found.
type Damage string

func (d Damage) Error() string { return "integrity_check: " + string(d) }

func faultsOf(ctx context.Context, db DB, pragma string) (faults []string, err error) {
	err = Each(ctx, db, "PRAGMA "+pragma, func(scan Scan) error {
		var fault string
		err := scan(&fault)
		if fault != "ok" {
			faults = append(faults, fault)
		}
		return err
	})
	return faults, err
}
