package sqlcheck

import (
	"go/ast"
	"go/types"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// addStructs adds what is known of the structs that a function of sqlx stores rows in and
// takes arguments from. Its parameters for them are always dest and arg.
func (c *checker) addStructs(q *query, call *ast.CallExpr) {
	fn := c.callee(call)
	if fn.Pkg().Path() != sqlxPath || c.spread(call) && !call.Ellipsis.IsValid() {
		return
	}
	for i, param := range slices.Collect(fn.Signature().Params().Variables()) {
		if name := param.Name(); name == "dest" || name == "arg" {
			c.addStruct(q, call, i, name == "dest")
		}
	}
}

func (c *checker) addStruct(q *query, call *ast.CallExpr, i int, into bool) {
	given := c.pass.TypesInfo.TypeOf(call.Args[i])
	t := pointee(given)
	if list, ok := t.Underlying().(*types.Slice); ok && !(into && begins(c.callee(call).Name(), " Get GetContext StructScan ")) {
		t = list.Elem()
	}
	t = pointee(t)
	a := arguments{Place: c.at(nameOf(call)), Struct: types.TypeString(t, (*types.Package).Name), Fields: fieldsOf(t, "", 4)}
	switch {
	case !into && len(a.Fields) > 0:
		q.Calls = append(q.Calls, a)
	case into && len(a.Fields) > 0:
		q.Scans = append(q.Scans, a)
	case into && pointee(given) != given && !types.IsInterface(t):
		q.Scans = append(q.Scans, arguments{Place: a.Place, Count: 1, Into: []destination{destinationOf(types.NewPointer(t))}})
	}
}

// fieldsOf returns the names under which sqlx may know the exported fields of a struct,
// and what is in them, as [spelling] has them; none, if it is a value for it.
func fieldsOf(t types.Type, path string, depth int) (names []string) {
	s, ok := t.Underlying().(*types.Struct)
	if scan, _, _ := types.LookupFieldOrMethod(t, true, nil, "Scan"); !ok || scan != nil || depth == 0 {
		return nil
	}
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() && !f.Embedded() {
			continue
		}
		inner := pointee(f.Type())
		if f.Embedded() {
			names = append(names, fieldsOf(inner, path, depth-1)...)
		}
		for _, m := range tagged.FindAllStringSubmatch(f.Name()+`:"`+f.Name()+`" `+s.Tag(i), -1) {
			name := m[1]
			names = append(names, spelling(path+name))
			names = append(names, fieldsOf(inner, path+name+".", depth-1)...)
		}
	}
	return names
}

// tagged matches the names in a tag, among which a program can choose.
var tagged = regexp.MustCompile(`:"([^",]*)`)

// spelling is what names have in common whose cases, or underscores, differ.
func spelling(name string) string { return strings.ReplaceAll(sqltext.Fold(name), "_", "") }

// lacks returns the first of the names that the struct has no field for, or "".
func (a *arguments) lacks(names []string) string {
	for _, name := range names {
		if !slices.Contains(a.Fields, spelling(name)) {
			return name
		}
	}
	return ""
}
