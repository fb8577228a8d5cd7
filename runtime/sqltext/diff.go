package sqltext

import "strings"

// A Difference is an object that is missing or not what it should be.
type Difference struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Want   string `json:"want"`   // SQL of the object
	Found  string `json:"found"`  // SQL of the object found, or "" if it is missing
	Detail string `json:"detail"` // one line: what was wanted beside what was found
}

// Diff compares the objects of two schemas. changed are those of want that are
// missing or different in found, in the order of want. extra are those of found that
// want does not name, except SQLite's and lockstep's own. Neither has shadow tables,
// in which virtual tables keep their content: only SQLite knows which they are.
//
// Objects whose texts differ are the same if they have the same structure, because
// versions of SQLite word the result of ALTER TABLE differently. These do not count:
// quotes, case, spaces and comments; the order and the names of constraints, and
// whether a constraint is part of its column or of the table; what holds without being
// said; in expressions, parentheses that change nothing, and how operators, numbers and
// strings are spelled.
func Diff(want, found []Object) (changed []Difference, extra []Object) {
	have := make(map[string]int, len(found))
	for i := range found {
		have[found[i].identity()] = i
	}
	for i := range want {
		w := &want[i]
		d := Difference{Type: w.Type, Name: w.Name, Want: w.SQL}
		how := "missing"
		if i, ok := have[w.identity()]; ok {
			delete(have, w.identity())
			if d.Found = found[i].SQL; d.Found == w.SQL {
				continue
			}
			ws, fs := w.structure(want), found[i].structure(found)
			if ws.same(&fs) {
				continue
			}
			how = ws.differences(&fs)
			if w.Type != found[i].Type {
				how = strings.ReplaceAll("want a "+w.Type+", found a "+found[i].Type, "a index", "an index")
			}
		}
		d.Detail = w.Type + " " + w.Name + ": " + how
		changed = append(changed, d)
	}
	for i := range found {
		f := &found[i]
		if _, ok := have[f.identity()]; ok && !isInternal(f.Name) {
			extra = append(extra, *f)
		}
	}
	return changed, extra
}

// identity tells the objects of a schema apart. A trigger can have the name of a
// table.
func (o *Object) identity() string {
	if o.Type == "trigger" {
		return "\x00" + Fold(o.Name)
	}
	return Fold(o.Name)
}
