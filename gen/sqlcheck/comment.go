package sqlcheck

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// A directive is a //lockstep: comment.
type directive struct {
	at      place
	verb    string // "ignore", "off" or "schema"
	subject string // the check that it silences, or "" for all; or the path of a schema
	alone   bool   // on its line, and so about the next
	used    bool
}

// parseDirectives finds the directives of the package, and what is wrong with them.
func (c *checker) parseDirectives() {
	for _, f := range c.pass.Files {
		for _, group := range f.Comments {
			for _, comment := range group.List {
				if words, ok := strings.CutPrefix(comment.Text, "//lockstep:"); ok {
					c.parseDirective(comment.Pos(), words)
				}
			}
		}
	}
}

func (c *checker) parseDirective(pos token.Pos, words string) {
	words, _, _ = strings.Cut(words, " //") // a comment on the directive
	verb, rest, _ := strings.Cut(words, " ")
	rest = strings.TrimSpace(rest)
	d := &directive{at: c.at(pos), verb: verb}
	switch verb {
	case "ignore":
		d.alone = c.beginsLine(pos)
		if check, reason, ok := strings.Cut(rest, ":"); ok && isCheck(check) {
			d.subject, rest = check, strings.TrimSpace(reason)
		}
		if rest == "" {
			c.fault(pos, "//lockstep:ignore needs a reason")
		}
	case "off":
	case "schema":
		d.subject = rest
		if other := c.schemaDirective(); rest == "" {
			c.fault(pos, "//lockstep:schema needs a path, or none")
			return
		} else if other != nil && other.subject != rest {
			c.fault(pos, "//lockstep:schema "+rest+": the package already has "+other.subject)
			return
		}
	default:
		c.fault(pos, "//lockstep:"+verb+": unknown directive")
		return
	}
	c.directives = append(c.directives, d)
}

func (c *checker) fault(pos token.Pos, message string) {
	c.pass.Report(analysis.Diagnostic{Pos: pos, Category: "directive", Message: message})
}

func isCheck(name string) bool {
	return slices.Contains([]string{"sql", "args", "scan", "notnull", "several"}, name)
}

// beginsLine reports whether only blanks come before pos on its line.
func (c *checker) beginsLine(pos token.Pos) bool {
	at := c.pass.Fset.PositionFor(pos, false)
	source, err := c.pass.ReadFile(at.Filename)
	return err == nil && strings.TrimSpace(string(source[at.Offset-at.Column+1:at.Offset])) == ""
}

// schemaDirective returns the package's //lockstep:schema, or nil.
func (c *checker) schemaDirective() *directive {
	for _, d := range c.directives {
		if d.verb == "schema" {
			return d
		}
	}
	return nil
}

// narrow applies the package's //lockstep:schema.
func (c *checker) narrow() {
	d := c.schemaDirective()
	if d == nil {
		return
	}
	c.schemas = slices.DeleteFunc(slices.Clone(c.schemas), func(s schema) bool { return s.Package != d.subject })
	if len(c.schemas) == 0 && d.subject != "none" {
		c.fault(d.at.pos, "//lockstep:schema "+d.subject+": not imported, directly or indirectly")
	}
}

// off returns the directive that silences the file, or nil.
func (c *checker) off(f *ast.File) *directive {
	for _, d := range c.directives {
		if d.verb == "off" && d.isIn(f) {
			return d
		}
	}
	return nil
}

func (d *directive) isIn(f *ast.File) bool { return f.FileStart <= d.at.pos && d.at.pos < f.FileEnd }

// silenced reports whether a directive silences the check, or any if that is "", of the
// query at a place.
func (c *checker) silenced(q *query, check string, at place) bool {
	if slices.Contains(q.Ignored, "") || slices.Contains(q.Ignored, check) {
		return true
	}
	for _, d := range c.directives {
		if (d.subject == "" || check == "" || d.subject == check) && d.covers(q, at) {
			d.used = true
			return true
		}
	}
	return false
}

// covers reports whether the directive is an ignore at the place, or at the beginning
// or end of the query's string or call: a raw string has no room for it.
func (d *directive) covers(q *query, at place) bool {
	return d.verb == "ignore" && slices.ContainsFunc(append([]place{at}, q.edges...), func(p place) bool {
		return p.File == d.at.File && (p.Line == d.at.Line || d.alone && p.Line == d.at.Line+1)
	})
}

// complain reports what is wrong with the directives themselves.
func (c *checker) complain() {
	for _, d := range c.directives {
		// Where nothing was checked, nothing could be silenced.
		if d.used || len(c.schemas) == 0 || c.leavesOut(d.at.File) {
			continue
		}
		switch d.verb {
		case "ignore":
			c.fault(d.at.pos, "//lockstep:ignore silences nothing")
		case "off":
			c.fault(d.at.pos, "//lockstep:off silences nothing: the file has no SQL")
		}
	}
}
