package sqlite

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Orphans are the rows of a table that refer to rows of Parent that do not exist: a
// lockstep.Violation.
type Orphans struct {
	Table, Parent string
	Count, Before int // see [OrphanSet.New]
	// Rows names the first three, as "rowid 7", or as "key ('a', 7)" in a table WITHOUT
	// ROWID. What cannot be found out is left out.
	Rows []string
	// Mismatch says that the foreign key itself is wrong: no unique key of Parent matches
	// it, so that no row can be checked. https://sqlite.org/foreignkeys.html#fk_indexes
	Mismatch bool
}

// namedRows is how many rows an error names.
const namedRows = 3

// FindOrphans checks the foreign keys of the tables among objects, which are those of the
// whole database: of those that can be broken after the effects. Without any, it checks all
// at once. It holds no more of the rows than their number.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
func FindOrphans(ctx context.Context, db DB, objects []sqltext.Object, after *sqltext.Effects) (found []Orphans, err error) {
	var children []string
	for i := range objects {
		if o := &objects[i]; o.MayRefer() && (after == nil || after.Reaches(o)) {
			children = append(children, o.Name)
		}
	}
	if len(children) == 0 {
		return nil, nil
	}
	var keys []*foreignKey
	each := children
	if after == nil {
		first := errors.New("a row without a parent")
		err = Each(ctx, db, "PRAGMA main.foreign_key_check", func(Scan) error { return first })
		if err == first { // to count them takes SQLite longer
			found, err = check(ctx, db, "", "")
		}
		if !isMismatch(err) {
			each = nil
		} else { // One foreign key that is itself wrong hides all others from the check.
			found, err = nil, nil
		}
	} else {
		keys, err = foreignKeys(ctx, db, children)
	}
	for _, child := range each {
		if err != nil {
			return nil, err
		}
		only := ""
		if after != nil {
			var suspect bool
			if only, suspect, err = suspects(ctx, db, child, keys, after); !suspect {
				continue
			}
		}
		var more []Orphans
		more, err = check(ctx, db, sqltext.Fill("('$1', 'main')", child), only)
		if isMismatch(err) {
			more, err = []Orphans{mismatched(err, child)}, nil
		}
		found = append(found, more...)
	}
	if err != nil || len(found) == 0 {
		return found, err
	}
	if after == nil {
		keys, err = foreignKeys(ctx, db, children)
	}
	for i := range found {
		o := &found[i]
		if o.Rows != nil { // they have names, unless the table has none for its rowid
			var row string
			if row, err = rowName(ctx, db, o.Table, "c"); err == nil && strings.HasPrefix(row, "'rowid ") {
				continue
			}
			o.Rows = nil
		}
		for _, k := range keys {
			if unlessLogic(err) != nil {
				return nil, err
			}
			if !o.Mismatch && k.child == o.Table && k.parent == o.Parent && k.after(after) && len(o.Rows) < namedRows {
				err = k.each(ctx, db, namedRows-len(o.Rows), func(row, _, _ string) { o.Rows = append(o.Rows, row) })
			}
		}
	}
	return found, unlessLogic(err)
}

// suspects reports whether the table may have rows without a parent, after the effects, or a
// foreign key that is itself wrong; and by which foreign keys, as a condition.
func suspects(ctx context.Context, db DB, table string, all []*foreignKey, after *sqltext.Effects) (only string, suspect bool, err error) {
	var keys []*foreignKey
	var ids []string
	affected := false
	for _, k := range all {
		if k.child == table && k.after(after) {
			keys, ids = append(keys, k), append(ids, strconv.Itoa(k.id))
		}
		affected = affected || k.child == table && after.Keys(k.child, k.parent)
	}
	if len(keys) == 0 && !affected {
		return "", false, nil
	}
	// SQLite says that a foreign key is wrong before it looks at rows.
	err = Each(ctx, db, sqltext.Fill("EXPLAIN PRAGMA main.foreign_key_check('$1')", table), func(Scan) error { return nil })
	if isMismatch(err) {
		return "", true, nil
	}
	for i := 0; i < len(keys) && !suspect && err == nil; i++ {
		suspect, err = keys[i].suspect(ctx, db)
	}
	return "WHERE fkid IN (" + strings.Join(ids, ", ") + ")", suspect, err
}

// check runs a foreign_key_check of all tables, or of the one that the arguments name. Of one
// row or two it says which they are: to look for more than there are takes a scan of the table.
func check(ctx context.Context, db DB, arguments, only string) (found []Orphans, err error) {
	q := `SELECT "table", parent, count(*), coalesce(CASE WHEN count(*) = 1 THEN 'rowid ' || min(rowid)
	WHEN count(*) = 2 AND min(fkid) = max(fkid) THEN 'rowid ' || min(rowid) || ', rowid ' || max(rowid) END, '')
FROM pragma_foreign_key_check` + arguments + only + " GROUP BY 1, 2 ORDER BY min(rowid)"
	err = Each(ctx, db, q, func(scan Scan) error {
		var o Orphans
		var rows string
		err := scan(&o.Table, &o.Parent, &o.Count, &rows)
		if rows != "" {
			o.Rows = strings.Split(rows, ", ")
		}
		found = append(found, o)
		return err
	})
	return found, err
}

const mismatchText = "foreign key mismatch"

func isMismatch(err error) bool { return err != nil && strings.Contains(err.Error(), mismatchText) }

// mismatched reads the parent out of SQLite's sentence, which has it in no other way: foreign
// key mismatch - "child" referencing "parent".
func mismatched(err error, child string) Orphans {
	_, parent, _ := strings.Cut(Sentence(err), sqltext.Quote(child)+" referencing ")
	return Orphans{Table: child, Parent: sqltext.Unquote(parent), Count: 1, Mismatch: true}
}
