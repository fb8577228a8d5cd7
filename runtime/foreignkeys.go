package lockstep

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// fkReport counts the violated foreign keys of a database.
type fkReport struct {
	tables map[string]bool // that there are, in lower case
	pairs  []fkPair        // that are violated, in the order in which SQLite reports them
	counts map[fkPair]int  // of rows without parent
}

// fkPair is the tables of a foreign key. With mismatch set, the key itself is at
// fault: the parent has no matching unique key, so that no row can be checked.
//
// https://sqlite.org/foreignkeys.html#fk_indexes
type fkPair struct {
	child, parent string
	mismatch      bool
}

func (r *fkReport) empty() bool { return len(r.pairs) == 0 }

func (r *fkReport) add(pair fkPair) {
	if r.counts[pair]++; r.counts[pair] == 1 {
		r.pairs = append(r.pairs, pair)
	}
}

// knows reports whether both tables of the pair are there.
func (r *fkReport) knows(p fkPair) bool {
	return r.tables[sqltext.Fold(p.child)] && r.tables[sqltext.Fold(p.parent)]
}

func (r *fkReport) String() string {
	items := make([]string, len(r.pairs))
	for i, pair := range r.pairs {
		items[i] = Violation{Table: pair.child, Parent: pair.parent, Mismatch: pair.mismatch, Count: r.counts[pair]}.String()
	}
	return strings.Join(items, "; ")
}

// since returns what is worse than in the report before. Rows that were orphans
// before are not of the upgrade's making, even if it has renamed their table.
func (r *fkReport) since(before *fkReport) (violations []Violation) {
	was, is := before.folded(), r.folded()
	moved := 0
	for pair, n := range was {
		if !r.knows(pair) {
			moved += max(0, n-is[pair])
		}
	}
	for _, pair := range r.pairs {
		had := was[pair.fold()]
		more := r.counts[pair] - had
		if more > 0 && !before.knows(pair) {
			known := min(more, moved)
			more -= known
			moved -= known
		}
		if more > 0 {
			violations = append(violations, Violation{Table: pair.child, Parent: pair.parent, Mismatch: pair.mismatch, Count: more, Before: had})
		}
	}
	return violations
}

// folded returns the counts by names in lower case: the two reports can be of
// tables that were rebuilt in between.
func (r *fkReport) folded() map[fkPair]int {
	counts := make(map[fkPair]int, len(r.counts))
	for pair, n := range r.counts {
		counts[pair.fold()] += n
	}
	return counts
}

func (p fkPair) fold() fkPair {
	return fkPair{sqltext.Fold(p.child), sqltext.Fold(p.parent), p.mismatch}
}

// foreignKeys checks all foreign keys of the database. It reads the rows that
// SQLite reports one by one and keeps the numbers.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
func (g *gate) foreignKeys(ctx context.Context, objects []sqltext.Object) (*fkReport, error) {
	r := &fkReport{tables: make(map[string]bool), counts: make(map[fkPair]int)}
	var children []string
	for _, o := range objects {
		if o.Type == "table" {
			r.tables[sqltext.Fold(o.Name)] = true
			if strings.Contains(strings.ToLower(o.SQL), "references") {
				children = append(children, o.Name)
			}
		}
	}
	if len(children) == 0 {
		return r, nil
	}
	err := g.fkCheck(ctx, "PRAGMA foreign_key_check", r)
	if !isMismatch(err) {
		return r, err
	}
	// One foreign key that is itself wrong hides all others from the check.
	r.pairs, r.counts = nil, make(map[fkPair]int)
	for _, child := range children {
		err := g.fkCheck(ctx, "PRAGMA foreign_key_check("+sqltext.Quote(child)+")", r)
		if isMismatch(err) {
			r.add(mismatched(err))
		} else if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (g *gate) fkCheck(ctx context.Context, q string, r *fkReport) error {
	return g.query(ctx, q, func(scan scanner) error {
		var child, parent string
		var rowid sql.NullInt64
		var key int
		if err := scan(&child, &rowid, &parent, &key); err != nil {
			return err
		}
		r.add(fkPair{child: child, parent: parent})
		return nil
	})
}

// explain names the first rows of each violation: by rowid, or by primary key in a
// table that has no rowid. An upgrade that is rolled back is worth the time. What
// cannot be found out is left out.
func (g *gate) explain(ctx context.Context, violations []Violation) {
	for i := range violations {
		if v := &violations[i]; !v.Mismatch {
			v.Rows, _ = g.orphans(ctx, v.Table, v.Parent)
		}
	}
}

func (g *gate) orphans(ctx context.Context, child, parent string) (names []string, err error) {
	keys := make(map[int]bool) // of rows that have no rowid to be named by
	err = g.query(ctx, "PRAGMA foreign_key_check("+sqltext.Quote(child)+")", func(scan scanner) error {
		var table, to string
		var rowid sql.NullInt64
		var key int
		if err := scan(&table, &rowid, &to, &key); err != nil || to != parent || len(names) == fkRows {
			return err
		}
		if rowid.Valid {
			names = append(names, fmt.Sprintf("rowid %d", rowid.Int64))
		} else {
			keys[key] = true
		}
		return nil
	})
	for key := range keys {
		more, err := g.orphanKeys(ctx, child, key)
		if err != nil {
			return names, err
		}
		names = append(names, more...)
	}
	return names[:min(len(names), fkRows)], err
}

// orphanKeys returns the primary keys of rows of child, a table WITHOUT ROWID, that
// violate its foreign key number key.
func (g *gate) orphanKeys(ctx context.Context, child string, key int) (names []string, err error) {
	primary, err := g.primaryKey(ctx, child)
	if err != nil {
		return nil, err
	}
	var parent string
	var from, to []string
	err = g.query(ctx, "PRAGMA foreign_key_list("+sqltext.Quote(child)+")", func(scan scanner) error {
		var id, seq int
		var table, column string
		var target sql.NullString
		var onUpdate, onDelete, match any
		if err := scan(&id, &seq, &table, &column, &target, &onUpdate, &onDelete, &match); err != nil || id != key {
			return err
		}
		parent, from = table, append(from, column)
		if target.Valid {
			to = append(to, target.String)
		}
		return nil
	})
	if err == nil && len(to) == 0 { // REFERENCES parent: its primary key
		to, err = g.primaryKey(ctx, parent)
	}
	if err != nil {
		return nil, err
	}

	var present, match []string
	for i, column := range from {
		present = append(present, "c."+sqltext.Quote(column)+" IS NOT NULL")
		if i < len(to) {
			match = append(match, "p."+sqltext.Quote(to[i])+" = c."+sqltext.Quote(column))
		}
	}
	where := strings.Join(present, " AND ")
	if len(match) == len(from) {
		where += " AND NOT EXISTS (SELECT 1 FROM " + sqltext.Quote(parent) + " AS p WHERE " + strings.Join(match, " AND ") + ")"
	}
	values := make([]string, len(primary))
	for i, column := range primary {
		values[i] = "quote(c." + sqltext.Quote(column) + ")"
	}
	q := fmt.Sprintf("SELECT %s FROM %s AS c WHERE %s LIMIT %d", strings.Join(values, " || ', ' || "), sqltext.Quote(child), where, fkRows)
	err = g.query(ctx, q, func(scan scanner) error {
		var name string
		err := scan(&name)
		names = append(names, "key ("+name+")")
		return err
	})
	return names, err
}

// primaryKey returns the columns of a table's primary key, in its order.
func (g *gate) primaryKey(ctx context.Context, table string) (columns []string, err error) {
	found := make(map[int]string)
	err = g.query(ctx, "PRAGMA table_info("+sqltext.Quote(table)+")", func(scan scanner) error {
		var cid, notNull, pk int
		var name string
		var typ, value any
		err := scan(&cid, &name, &typ, &notNull, &value, &pk)
		if pk > 0 {
			found[pk] = name
		}
		return err
	})
	for i := range len(found) {
		columns = append(columns, found[i+1])
	}
	return columns, err
}

func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), mismatchText)
}

const fkRows = 5 // that an error lists

const mismatchText = "foreign key mismatch"

// mismatched reads the tables out of SQLite's sentence, which has them in no other
// way: foreign key mismatch - "child" referencing "parent".
func mismatched(err error) fkPair {
	_, text, _ := strings.Cut(sqlite.Sentence(err), mismatchText)
	child, parent, _ := strings.Cut(strings.TrimPrefix(text, " - "), " referencing ")
	return fkPair{strings.Trim(child, `"`), strings.Trim(parent, `"`), true}
}
