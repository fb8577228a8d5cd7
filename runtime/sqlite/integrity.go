package sqlite

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// IntegrityCheck returns what SQLite finds wrong with the file and its rows, at most limit
// faults: it also checks NOT NULL, CHECK and UNIQUE, but not foreign keys.
//
// https://sqlite.org/pragma.html#pragma_integrity_check
func IntegrityCheck(ctx context.Context, db DB, limit int) (faults []string, err error) {
	return faultsOf(ctx, db, "main.integrity_check("+strconv.Itoa(limit)+")")
}

// QuickCheck returns the faults that SQLite finds in the database and its rows.
//
// https://sqlite.org/pragma.html#pragma_quick_check
func QuickCheck(ctx context.Context, db DB) (Faults, error) {
	faults, err := faultsOf(ctx, db, "main.quick_check(1000000)")
	return count(faults), err
}

// Check returns the faults that SQLite finds in an attached database, such as main, and in
// its rows. The error is a [Damage] if pages are damaged; every other fault is one of rows,
// or of an index. unchecked are tables that cannot be checked, with SQLite's reason: the
// connection lacks a function or collation, or a CHECK fails with an error.
func Check(ctx context.Context, db DB, database string) (_ Faults, unchecked []string, err error) {
	faults, err := undamaged(ctx, db, database+".integrity_check(1000000)")
	if !isLogic(err) {
		return count(faults), nil, err
	}
	var tables []string
	err = Each(ctx, db, "SELECT name FROM "+database+".sqlite_master WHERE type = 'table' ORDER BY name", func(scan Scan) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	})
	faults = nil
	for _, name := range tables {
		if err != nil {
			break
		}
		var found []string
		found, err = undamaged(ctx, db, database+".integrity_check("+sqltext.Quote(name)+")")
		if isLogic(err) {
			unchecked = append(unchecked, "table "+name+": "+Sentence(err))
			err = nil
		}
		faults = append(faults, found...)
	}
	return count(faults), unchecked, err
}

// isLogic reports whether err is about a statement: what it names, or a value. (Of these,
// mattn/go-sqlite3 tells no code.)
func isLogic(err error) bool {
	d, code := Damage(""), Code(err)&0xff
	return code == codeError || code == 0 && err != nil && !IsInterrupt(err) && !errors.As(err, &d)
}

// Faults is what SQLite says of a database, and how often.
type Faults map[string]int

func count(faults []string) Faults {
	f := make(Faults)
	for _, fault := range faults {
		f[fault]++
	}
	return f
}

// List returns the faults in order.
func (f Faults) List() []string {
	list := slices.Sorted(maps.Keys(f))
	for i, fault := range list {
		list[i] = strings.ReplaceAll(fault, "\n", " ")
		if n := f[fault]; n > 1 {
			list[i] += " (" + strconv.Itoa(n) + " times)"
		}
	}
	return list
}

// A Damage is a fault of the pages of a database.
type Damage string

func (d Damage) Error() string { return "integrity_check: " + string(d) }

// undamaged returns the faults, or a [Damage] if one of them is that.
func undamaged(ctx context.Context, db DB, pragma string) ([]string, error) {
	faults, err := faultsOf(ctx, db, pragma)
	for _, fault := range faults {
		if strings.HasPrefix(fault, "*** in database ") {
			return nil, Damage(strings.ReplaceAll(fault, "\n", " "))
		}
	}
	return faults, err
}

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
