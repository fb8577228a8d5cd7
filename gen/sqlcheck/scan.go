package sqlcheck

import (
	"fmt"
	"go/types"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A destination is what Scan stores a column in.
type destination struct {
	Type  string
	Takes taking
}

// taking is what of SQLite's values database/sql can store.
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
		return []string{"Scan has " + count(a.Count, "destination") + ", but the statement returns no rows"}
	case a.Fields != nil:
		var names []string
		for _, c := range r.columns {
			names = append(names, c.name)
		}
		if name := a.lacks(names); name != "" {
			all = append(all, "missing destination name "+name+" in "+a.Struct)
		}
	case len(r.columns) != a.Count:
		return []string{"Scan has " + count(a.Count, "destination") + " for " + count(len(r.columns), "column")}
	}
	for i, d := range a.Into {
		c := r.columns[i]
		switch {
		case d.Takes == nothing:
			all = append(all, fmt.Sprintf("Scan cannot store column %d in %s", i+1, d.Type))
		case d.Takes == times && c.strict != "":
			all = append(all, fmt.Sprintf("Scan cannot store column %d, which is %s, in %s", i+1, c.strict, d.Type))
		case d.Takes != everything && c.null != "":
			all = append(all, fmt.Sprintf("Scan cannot store NULL in %s: %s is NULL without rows", d.Type, c.null))
		}
	}
	return all
}

// A resultColumn is what is certain about a column of a result.
type resultColumn struct {
	name   string
	strict string // the type of a column of a STRICT table that is never text
	null   string // the expression, if it is NULL when there are no rows
}

// results returns the columns of the result of a statement.
func (d *database) results(s statement, stmt *sqlite3.Stmt) []resultColumn {
	all := make([]resultColumn, stmt.ColumnCount())
	nulls := d.aggregates(s)
	for i := range all {
		all[i].name = stmt.ColumnName(i)
		if len(nulls) == len(all) {
			all[i].null = nulls[i]
		}
		if declared := stmt.ColumnDeclType(i); begins(sqltext.Fold(declared), " int integer real blob ") && d.tables[sqltext.Fold(stmt.ColumnTableName(i))] {
			all[i].strict = declared
		}
	}
	return all
}

// aggregates returns, for each column of a SELECT from a table without GROUP BY, the call
// of an aggregate that it is, if that is NULL without rows, or "".
//
// https://sqlite.org/lang_aggfunc.html
func (d *database) aggregates(s statement) (all []string) {
	var ends []int // of columns
	depth, from := 0, 0
	for i := range s.Tokens {
		depth += s.nesting(i)
		word := s.Name(i)
		switch {
		case depth > 0:
		case i == 0 && word != "select", begins(word, " distinct group having over union intersect except "):
			return nil
		case from == 0 && (word == "," || word == "from"):
			if ends = append(ends, i); word == "from" {
				from = i
			}
		}
	}
	if _, ok := d.tables[s.Name(from+1)]; from == 0 || !ok || s.Name(from+1) == "_meta" {
		return nil
	}
	begin := 1
	for _, end := range ends {
		if s.Name(end-2) == "as" {
			end -= 2
		}
		call, depth, commas := "", 0, 0
		for i := begin + 1; i < end; i++ {
			depth += s.nesting(i)
			if depth == 1 && s.Name(i) == "," {
				commas++
			}
			if depth == 0 && i == end-1 && s.Name(i) == ")" && begins(s.Name(begin), " min max sum avg group_concat string_agg ") && (commas == 0 || !begins(s.Name(begin), " min max ")) {
				call = s.Text[s.Tokens[begin].Pos:s.Tokens[i].End]
			}
			if depth == 0 {
				break
			}
		}
		all, begin = append(all, call), ends[len(all)]+1
	}
	return all
}
