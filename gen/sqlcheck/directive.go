package sqlcheck

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// directives are the comments of a package that are addressed to the analyzer.
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

func isCheck(name string) bool {
	switch name {
	case "sql", "args", "scan", "notnull", "several":
		return true
	}
	return false
}

func parseDirectives(pass *analysis.Pass) *directives {
	d := &directives{off: map[*ast.File]*off{}}
	for _, f := range pass.Files {
		var code map[int]bool // lines of the file on which something begins or ends
		for _, group := range f.Comments {
			for _, comment := range group.List {
				words, ok := strings.CutPrefix(comment.Text, "//lockstep:")
				if !ok {
					continue
				}
				// What stands behind a second // is a comment on the directive.
				if i := strings.Index(words, " //"); i >= 0 {
					words = words[:i]
				}
				verb, rest, _ := strings.Cut(words, " ")
				rest = strings.TrimSpace(rest)
				switch verb {
				case "ignore":
					if code == nil {
						code = codeLines(pass.Fset, f)
					}
					p := pass.Fset.Position(comment.Pos())
					i := &ignore{pos: comment.Pos(), file: p.Filename, line: p.Line, alone: !code[p.Line]}
					if name, reason, ok := strings.Cut(rest, ":"); ok && isCheck(name) {
						i.check, rest = name, strings.TrimSpace(reason)
					}
					if rest == "" {
						d.fault(comment.Pos(), "//lockstep:ignore has no reason")
					}
					d.ignores = append(d.ignores, i)
				case "off":
					d.off[f] = &off{pos: comment.Pos()}
				case "schema":
					switch {
					case rest == "":
						d.fault(comment.Pos(), "//lockstep:schema names no schema")
					case d.schema != nil && d.schema.path != rest:
						d.fault(comment.Pos(), "//lockstep:schema "+rest+": the package has another, "+d.schema.path)
					default:
						d.schema = &schemaDirective{comment.Pos(), rest}
					}
				default:
					d.fault(comment.Pos(), "//lockstep:"+verb+": unknown directive")
				}
			}
		}
	}
	return d
}

func (d *directives) fault(pos token.Pos, message string) {
	d.faults = append(d.faults, analysis.Diagnostic{Pos: pos, Category: "directive", Message: message})
}

// codeLines returns the lines on which there is more than comments.
func codeLines(fset *token.FileSet, f *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File:
		case *ast.Comment, *ast.CommentGroup:
			return false
		default:
			lines[fset.Position(n.Pos()).Line] = true
			lines[fset.Position(n.End()-1).Line] = true
		}
		return true
	})
	return lines
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
		c.directives.fault(d.pos, "//lockstep:schema "+d.path+": not imported, here or below")
	}
}

// unlessOff returns those of the file's queries that are checked: all, or none if
// the file says so.
func (d *directives) unlessOff(f *ast.File, queries []*query) []*query {
	off := d.off[f]
	if off == nil {
		return queries
	}
	off.used = off.used || len(queries) > 0
	return nil
}

// silence reports whether a directive silences the check of the query at a place.
func (d *directives) silence(c *checker, q *query, check string, at place) bool {
	if slices.Contains(q.Ignored, "") || slices.Contains(q.Ignored, check) {
		return true
	}
	for _, i := range d.ignores {
		if (i.check == "" || i.check == check) && i.covers(c, q, at) {
			i.used = true
			return true
		}
	}
	return false
}

// covers reports whether the directive stands at the place, at the begin or the
// end of the query's string, or at those of the call: inside a raw string there is
// no room for it.
func (i *ignore) covers(c *checker, q *query, at place) bool {
	for _, p := range append([]place{at}, q.edges...) {
		if !p.pos.IsValid() {
			continue
		}
		posn := c.pass.Fset.Position(p.pos)
		if posn.Filename == i.file && (posn.Line == i.line || i.alone && posn.Line == i.line+1) {
			return true
		}
	}
	return false
}

// complain reports what is wrong with the directives themselves.
func (d *directives) complain(c *checker) {
	for _, fault := range d.faults {
		c.pass.Report(fault)
	}
	if len(c.schemas) == 0 {
		return // nothing was checked, so nothing could be silenced
	}
	for _, i := range d.ignores {
		if !i.used && (c.tests || !strings.HasSuffix(i.file, "_test.go")) {
			c.pass.Report(analysis.Diagnostic{Pos: i.pos, Category: "directive", Message: "//lockstep:ignore silences nothing"})
		}
	}
	for _, f := range c.pass.Files {
		o := d.off[f]
		if o == nil {
			continue
		}
		if name := c.pass.Fset.Position(f.FileStart).Filename; !o.used && (c.tests || !strings.HasSuffix(name, "_test.go")) {
			c.pass.Report(analysis.Diagnostic{Pos: o.pos, Category: "directive", Message: "//lockstep:off silences nothing: the file has no SQL"})
		}
	}
}
