package sqltext

import (
	"slices"
	"strings"
)

// Changes says how a schema differs from what was wanted: what is missing, what is
// different, and what was added that an error may be about: its text names the object or,
// for a trigger or unique index, the table. It leaves out the objects that are ignored.
func Changes(want, found []Object, text string, ignored func(name string) bool) (changes []string) {
	changed, extra := Diff(want, found)
	for _, d := range changed {
		switch {
		case ignored(d.Name):
		case d.Found == "":
			changes = append(changes, d.Type+" "+d.Name+" is missing")
		default:
			changes = append(changes, d.Detail)
		}
	}
	words := strings.FieldsFunc(Fold(text), func(r rune) bool { return r < 0x80 && !isWord(byte(r)) })
	for _, o := range extra {
		acts := o.Type == "trigger" || strings.HasPrefix(o.SQL, "CREATE UNIQUE")
		if !ignored(o.Name) && (slices.Contains(words, Fold(o.Name)) || acts && slices.Contains(words, Fold(o.Table))) {
			changes = append(changes, o.Type+" "+o.Name+" was added")
		}
	}
	return changes
}
