package sqlcheck

import (
	"fmt"
	"go/types"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A destination is what Scan stores a column in.
type destination struct {
	Type  string
	Takes taking
}

// taking says which of SQLite's values database/sql can store.
type taking int

const (
	everything taking = iota // or it is not known
	notNull
	times // that a driver made of text
	nothing
)

// destinationOf returns what is known of an argument of Scan.
//
// https://pkg.go.dev/database/sql#Rows.Scan
func destinationOf(t types.Type) (d destination) {
	p, ok := types.Unalias(t).(*types.Pointer)
	if method, _, _ := types.LookupFieldOrMethod(t, true, nil, "Scan"); !ok || method != nil {
		return d
	}
	d.Type = types.TypeString(p.Elem(), (*types.Package).Name)
	switch e := p.Elem().Underlying().(type) {
	case *types.Basic:
		d.Takes = notNull
	case *types.Struct:
		if d.Takes = nothing; isNamed(p.Elem(), "time", "Time") {
			d.Takes = times
		} else if e.NumFields() > 0 && e.Field(0).Pkg().Path() == "time" {
			d.Takes = everything // type other time.Time
		}
	case *types.Slice:
		if b, ok := e.Elem().Underlying().(*types.Basic); !ok || b.Kind() != types.Byte {
			d.Takes = nothing
		}
	case *types.Map, *types.Chan, *types.Signature:
		d.Takes = nothing
	}
	return d
}

// misfits returns what is wrong with the destinations.
func (a *arguments) misfits(r *reading) (all []string) {
	switch {
	case len(r.columns) == 0:
		return []string{"Scan has " + wording.Count(a.Count, "destination") + ", but the statement returns no rows"}
	case a.Fields != nil:
		var names []string
		for _, c := range r.columns {
			names = append(names, c.name)
		}
		if name := a.lacks(names); name != "" {
			all = append(all, "missing destination name "+name+" in "+a.Struct)
		}
	case len(r.columns) != a.Count:
		return []string{"Scan has " + wording.Count(a.Count, "destination") + " for " + wording.Count(len(r.columns), "column")}
	}
	for i, d := range a.Into {
		c := r.columns[i]
		switch {
		case d.Takes == nothing:
			all = append(all, fmt.Sprintf("Scan cannot store column %d in %s", i+1, d.Type))
		case d.Takes == times && c.strict != "":
			all = append(all, fmt.Sprintf("Scan cannot store column %d, which is %s, in %s", i+1, c.strict, d.Type))
		case d.Takes != everything && c.null != "":
			all = append(all, fmt.Sprintf("Scan cannot store NULL in %s: %s", d.Type, c.null))
		}
	}
	return all
}

// A resultColumn is what is certain about a column of a result.
type resultColumn struct {
	name   string
	strict string // the type of a column of a STRICT table that is never text
	null   string // why it is NULL, if it is certain that it can be
}

// results returns the columns of the result of a statement.
func (d *database) results(s statement, stmt *sqlite3.Stmt) []resultColumn {
	all := make([]resultColumn, stmt.ColumnCount())
	from := d.from(s)
	of, nulls := sqltext.Aggregates(s.Text)
	if _, ok := d.tables[of]; !ok || of == "_meta" { // which always has a row
		nulls = nil
	}
	for i := range all {
		all[i].name = stmt.ColumnName(i)
		table, column := sqltext.Fold(stmt.ColumnTableName(i)), sqltext.Fold(stmt.ColumnOriginName(i))
		switch {
		case len(nulls) == len(all) && nulls[i] != "":
			all[i].null = nulls[i] + " is NULL without rows"
		case d.mayLack(from, table):
			all[i].null = table + "." + column + " is NULL where the LEFT JOIN finds no row"
		case len(from) == 1 && begins(table+"."+column, d.added):
			all[i].null = table + "." + column + " is NULL in rows from before it was added"
		}
		if declared := stmt.ColumnDeclType(i); begins(sqltext.Fold(declared), " int integer real blob ") && d.tables[table] {
			all[i].strict = declared
		}
	}
	return all
}
