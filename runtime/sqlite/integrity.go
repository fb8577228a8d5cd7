package sqlite

import (
	"context"
	"errors"
	"sort"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Pragma checks the file and its rows, NOT NULL and CHECK included, but not foreign keys.
type Pragma string

const (
	// Quick takes about as long as it takes to read the file.
	// https://sqlite.org/pragma.html#pragma_quick_check
	Quick Pragma = "quick_check"
	// Full also compares indexes with the rows, and so finds what violates UNIQUE. That takes
	// several times as long. https://sqlite.org/pragma.html#pragma_integrity_check
	Full Pragma = "integrity_check"
)

const most = "1000000" // faults

// List returns what SQLite finds wrong. It can say the same of several rows.
func (p Pragma) List(ctx context.Context, db DB) (faults []string, err error) {
	return p.of(ctx, db, "main", most)
}

// Check returns the faults that SQLite finds in an attached database, such as main, and in
// its rows. The error is a [Damage] if pages are damaged; every other fault is one of rows,
// or of an index. unchecked are tables that cannot be checked, with SQLite's reason: the
// connection lacks a function or collation, or a CHECK fails with an error.
func (p Pragma) Check(ctx context.Context, db DB, database string) (faults, unchecked []string, err error) {
	faults, err = p.undamaged(ctx, db, database, most)
	if !isLogic(err) {
		return faults, nil, err
	}
	tables, err := texts(ctx, db, "SELECT name FROM "+database+".sqlite_master WHERE type = 'table' ORDER BY name")
	faults = nil
	for _, name := range tables {
		if err != nil {
			break
		}
		var found []string
		found, err = p.undamaged(ctx, db, database, sqltext.Quote(name))
		if isLogic(err) {
			unchecked = append(unchecked, "table "+name+": "+Sentence(err))
			err = nil
		}
		faults = append(faults, found...)
	}
	return faults, unchecked, err
}

// isLogic reports whether err is about a statement: what it names, or a value. (Of these,
// mattn/go-sqlite3 tells no code.)
func isLogic(err error) bool {
	d, code := Damage(""), Code(err)&0xff
	return code == codeError || code == 0 && err != nil && !IsInterrupt(err) && !errors.As(err, &d)
}

// FirstNew returns the first fault that was not there before, or not as often, or "".
func FirstNew(faults, before []string) string {
	old := make(map[string]int)
	for _, fault := range before {
		old[fault]++
	}
	for _, fault := range faults {
		if old[fault]--; old[fault] < 0 {
			return fault
		}
	}
	return ""
}

// Distinct returns the faults in order, each with how often it is there.
func Distinct(faults []string) (list []string) {
	times := make(map[string]int)
	for _, fault := range faults {
		if times[fault]++; times[fault] == 1 {
			list = append(list, fault)
		}
	}
	sort.Stable(sort.StringSlice(list))
	for i, fault := range list {
		list[i] = strings.ReplaceAll(fault, "\n", " ")
		if n := times[fault]; n > 1 {
			list[i] += " (" + strconv.Itoa(n) + " times)"
		}
	}
	return list
}

// A Damage is a fault of the pages of a database, after the name of the pragma that found it.
type Damage string

func (d Damage) Error() string { return string(d) }

// undamaged returns the faults, or a [Damage] if one of them is that.
func (p Pragma) undamaged(ctx context.Context, db DB, database, argument string) ([]string, error) {
	faults, err := p.of(ctx, db, database, argument)
	for _, fault := range faults {
		if IsDamage(fault) {
			return nil, Damage(string(p) + ": " + strings.ReplaceAll(fault, "\n", " "))
		}
	}
	return faults, err
}

// IsDamage reports whether a fault is one of pages.
func IsDamage(fault string) bool { return strings.HasPrefix(fault, "*** in database ") }

func (p Pragma) of(ctx context.Context, db DB, database, argument string) (faults []string, err error) {
	err = Each(ctx, db, "PRAGMA "+database+"."+string(p)+"("+argument+")", func(scan Scan) error {
		var fault string
		err := scan(&fault)
		if _, code, ok := strings.Cut(fault, "unable to get the page. error code="); ok {
			code, _, _ = strings.Cut(code, "\n")
			if n, _ := strconv.Atoi(code); n&0xff == codeIO { // that is no fault of the page
				return errors.New(codeNames[codeIO])
			}
		}
		if fault != "ok" {
			faults = append(faults, fault)
		}
		return err
	})
	return faults, err
}
