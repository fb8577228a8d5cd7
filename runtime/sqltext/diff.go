package sqltext

import "strings"

// A Difference is an object that is not what it should be.
type Difference struct {
	Type, Name string
	Want       string // SQL of the object
	Found      string // SQL of the object found, or "" if there is none
	Detail     string // one line: what differs, expected beside found
}

// Diff compares objects that should be with objects that are. changed are those
// of want that are missing or other than they should be, in the order of want.
// extra are those of found that want does not name, except SQLite's and lockstep's own.
// found is without shadow tables, in which virtual tables keep their content: only
// SQLite itself knows which they are.
//
// Objects whose texts differ are the same if their structures are, because
// versions of SQLite word what ALTER TABLE leaves differently. How identifiers are
// quoted, the case of keywords and identifiers, blanks, comments, the order and the
// names of constraints, and whether a constraint stands behind its column or at the
// end of the table do not count.
func Diff(want, found []Object) (changed []Difference, extra []Object) {
	have := make(map[identity]int, len(found))
	for i, f := range found {
		have[f.identity()] = i
	}
	wanted := make(map[identity]bool, len(want))
	for _, w := range want {
		wanted[w.identity()] = true
		d := Difference{Type: w.Type, Name: w.Name, Want: w.SQL}
		var lines []string
		if i, ok := have[w.identity()]; ok {
			if d.Found = found[i].SQL; d.Found == w.SQL {
				continue
			}
			ws, fs := w.structure(want), found[i].structure(found)
			if ws.same(&fs) {
				continue
			}
			lines = ws.differences(&fs)
			if w.Type != found[i].Type {
				lines = []string{"want a " + w.Type + ", found " + article(found[i].Type)}
			}
		} else {
			lines = []string{"missing"}
		}
		d.Detail = w.Type + " " + w.Name + ": " + strings.Join(lines, "; ")
		changed = append(changed, d)
	}
	for _, f := range found {
		if !wanted[f.identity()] && !isInternal(f.Name) {
			extra = append(extra, f)
		}
	}
	return changed, extra
}

// identity is what makes two objects of one schema the same object. A trigger can
// have the name of a table.
type identity struct {
	trigger bool
	name    string
}

func (o *Object) identity() identity { return identity{o.Type == "trigger", Fold(o.Name)} }

func article(kind string) string {
	if kind == "index" {
		return "an index"
	}
	return "a " + kind
}
