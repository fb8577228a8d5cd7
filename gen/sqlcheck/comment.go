package sqlcheck

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// directives are the //lockstep: comments of a package.
type directives struct {
	ignores []*ignore
	off     map[*ast.File]*off
	schema  *schemaDirective
	faults  []analysis.Diagnostic
}

// An ignore silences a line.
type ignore struct {
	pos   token.Pos
	file  string
	line  int
	alone bool   // on its line, and so about the next
	check string // or "" for all
	used  bool
}

type off struct {
	pos  token.Pos
	used bool
}

type schemaDirective struct {
	pos  token.Pos
	path string
}

func parseDirectives(pass *analysis.Pass) *directives {
	d := &directives{off: map[*ast.File]*off{}}
	for _, f := range pass.Files {
		for _, group := range f.Comments {
			for _, comment := range group.List {
				if words, ok := strings.CutPrefix(comment.Text, "//lockstep:"); ok {
					d.parse(pass, f, comment.Pos(), words)
				}
			}
		}
	}
	return d
}

func (d *directives) parse(pass *analysis.Pass, f *ast.File, pos token.Pos, words string) {
	words, _, _ = strings.Cut(words, " //") // a comment on the directive
	verb, rest, _ := strings.Cut(words, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "ignore":
		p := pass.Fset.Position(pos)
		i := &ignore{pos: pos, file: p.Filename, line: p.Line, alone: !hasCode(pass.Fset, f, p.Line)}
		if name, reason, ok := strings.Cut(rest, ":"); ok && isCheck(name) {
			i.check, rest = name, strings.TrimSpace(reason)
		}
		if rest == "" {
			d.fault(pos, "//lockstep:ignore needs a reason")
		}
		d.ignores = append(d.ignores, i)
	case "off":
		d.off[f] = &off{pos: pos}
	case "schema":
		switch {
		case rest == "":
			d.fault(pos, "//lockstep:schema needs a path, or none")
		case d.schema != nil && d.schema.path != rest:
			d.fault(pos, "//lockstep:schema "+rest+": the package already has "+d.schema.path)
		default:
			d.schema = &schemaDirective{pos, rest}
		}
	default:
		d.fault(pos, "//lockstep:"+verb+": unknown directive")
	}
}

func (d *directives) fault(pos token.Pos, message string) {
	d.faults = append(d.faults, analysis.Diagnostic{Pos: pos, Category: "directive", Message: message})
}

func isCheck(name string) bool {
	switch name {
	case "sql", "args", "scan", "notnull", "several":
		return true
	}
	return false
}

// hasCode reports whether there is more than comments on the line.
func hasCode(fset *token.FileSet, f *ast.File, line int) (has bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File:
		case *ast.Comment, *ast.CommentGroup:
			return false
		default:
			has = has || fset.Position(n.Pos()).Line == line || fset.Position(n.End()-1).Line == line
		}
		return !has
	})
	return has
}

// narrow applies the package's //lockstep:schema.
func (c *checker) narrow() {
	d := c.directives.schema
	if d == nil {
		return
	}
	c.schemas = nil
	if d.path == "none" {
		return
	}
	for _, s := range c.reach.Schemas {
		if s.Package == d.path {
			c.schemas = append(c.schemas, s)
		}
	}
	if c.schemas == nil {
		c.directives.fault(d.pos, "//lockstep:schema "+d.path+": not imported, directly or indirectly")
	}
}

// unlessOff returns the file's queries that are to be checked: all, or none if the
// file says so.
func (d *directives) unlessOff(f *ast.File, queries []*query) []*query {
	off := d.off[f]
	if off == nil {
		return queries
	}
	off.used = off.used || len(queries) > 0
	return nil
}

// silence reports whether a directive silences the check of the query at a place.
func (d *directives) silence(q *query, check string, at place) bool {
	if slices.Contains(q.Ignored, "") || slices.Contains(q.Ignored, check) {
		return true
	}
	for _, i := range d.ignores {
		if (i.check == "" || i.check == check) && i.covers(q, at) {
			i.used = true
			return true
		}
	}
	return false
}

// covers reports whether the directive is at the place, or at the beginning or end of
// the query's string or call: a raw string has no room for it.
func (i *ignore) covers(q *query, at place) bool {
	return slices.ContainsFunc(append([]place{at}, q.edges...), func(p place) bool {
		return p.File == i.file && (p.Line == i.line || i.alone && p.Line == i.line+1)
	})
}

// complain reports what is wrong with the directives themselves.
func (d *directives) complain(c *checker) {
	if len(c.schemas) > 0 { // else nothing was checked, so nothing could be silenced
		for _, i := range d.ignores {
			if !i.used && !c.leavesOut(i.file) {
				d.fault(i.pos, "//lockstep:ignore silences nothing")
			}
		}
		for f, o := range d.off {
			if !o.used && !c.leavesOut(c.fileName(f)) {
				d.fault(o.pos, "//lockstep:off silences nothing: the file has no SQL")
			}
		}
	}
	slices.SortFunc(d.faults, func(a, b analysis.Diagnostic) int { return int(a.Pos - b.Pos) })
	for _, fault := range d.faults {
		c.pass.Report(fault)
	}
}
