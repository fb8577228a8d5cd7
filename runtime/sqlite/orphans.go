package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Orphans are the rows of a table that refer to rows of Parent that do not exist.
type Orphans struct {
	Table, Parent string
	Count         int
	// Rows names the first five, as "rowid 7", or as "key ('a', 7)" in a table WITHOUT
	// ROWID. What cannot be found out is left out.
	Rows []string
	// Mismatch says that the foreign key itself is wrong: no unique key of Parent matches
	// it, so that no row can be checked. https://sqlite.org/foreignkeys.html#fk_indexes
	Mismatch bool

	keys []int // foreign keys, by number, of rows without a rowid
}

const namedRows = 5

// FindOrphans checks the foreign keys of the tables among objects, which are those of the
// whole database, in the order in which SQLite reports them. It holds no more of the rows than their number.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
func FindOrphans(ctx context.Context, db DB, objects []sqltext.Object) ([]Orphans, error) {
	var children []string
	for _, o := range objects {
		if o.MayRefer() {
			children = append(children, o.Name)
		}
	}
	if len(children) == 0 {
		return nil, nil
	}
	found, err := check(ctx, db, "PRAGMA foreign_key_check")
	if !isMismatch(err) {
		return found, err
	}
	// One foreign key that is itself wrong hides all others from the check.
	found = nil
	for _, child := range children {
		more, err := check(ctx, db, "PRAGMA foreign_key_check("+sqltext.Quote(child)+")")
		if isMismatch(err) {
			more, err = append(more, mismatched(err)), nil
		}
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// check runs a foreign_key_check. With an error it returns what it found until then.
func check(ctx context.Context, db DB, pragma string) ([]Orphans, error) {
	var found []Orphans
	err := Each(ctx, db, pragma, func(scan Scan) error {
		var table, parent string
		var rowid sql.NullInt64
		var key int
		if err := scan(&table, &rowid, &parent, &key); err != nil {
			return err
		}
		i := slices.IndexFunc(found, func(o Orphans) bool { return o.Table == table && o.Parent == parent })
		if i < 0 {
			i = len(found)
			found = append(found, Orphans{Table: table, Parent: parent})
		}
		o := &found[i]
		o.Count++
		if !rowid.Valid {
			if !slices.Contains(o.keys, key) {
				o.keys = append(o.keys, key)
			}
		} else if len(o.Rows) < namedRows {
			o.Rows = append(o.Rows, fmt.Sprintf("rowid %d", rowid.Int64))
		}
		return nil
	})
	for i := range found {
		o := &found[i]
		if len(o.keys) == 0 {
			continue
		}
		keys, _ := foreignKeys(ctx, db)
		for _, k := range keys {
			if k.child == o.Table && slices.Contains(o.keys, k.id) && len(o.Rows) < namedRows {
				k.each(ctx, db, namedRows-len(o.Rows), func(row, _, _ string) { o.Rows = append(o.Rows, row) })
			}
		}
	}
	return found, err
}

const mismatchText = "foreign key mismatch"

func isMismatch(err error) bool { return err != nil && strings.Contains(err.Error(), mismatchText) }

// mismatched reads the tables out of SQLite's sentence, which has them in no other
// way: foreign key mismatch - "child" referencing "parent".
func mismatched(err error) Orphans {
	_, text, _ := strings.Cut(Sentence(err), mismatchText)
	child, parent, _ := strings.Cut(strings.TrimPrefix(text, " - "), " referencing ")
	return Orphans{Table: strings.Trim(child, `"`), Parent: strings.Trim(parent, `"`), Count: 1, Mismatch: true}
}
