package gen

import (
	"os"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// An addition is what the replay's SQLite has and the default builds of some drivers lack.
type addition struct {
	names string            // of functions and modules
	tags  map[string]string // driver: the build tag with which it has it; "" if there is none
}

// additions is what pragma_function_list and pragma_module_list differ in.
var additions = []addition{
	{
		names: "acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power radians sin sinh sqrt tan tanh trunc",
		tags:  map[string]string{gomod.Mattn: "sqlite_math_functions"},
	},
	{
		names: "bm25 highlight fts5 fts5vocab fts5_get_locale fts5_insttoken fts5_locale fts5_source_id",
		tags:  map[string]string{gomod.Mattn: "sqlite_fts5"},
	},
	{
		names: "soundex geopoly geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point geopoly_debug geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg geopoly_within geopoly_xform",
		tags:  map[string]string{gomod.Mattn: ""},
	},
	{
		names: "regexp regexpi generate_series base64 decimal decimal_add decimal_cmp decimal_exp decimal_mul decimal_pow2 decimal_sub decimal_sum ieee754 ieee754_exponent ieee754_from_blob ieee754_from_int ieee754_inc ieee754_mantissa ieee754_to_blob ieee754_to_int",
		tags:  map[string]string{gomod.Mattn: "", gomod.Modernc: ""},
	},
}

// lacking returns warnings about functions and modules that the module's driver does not
// have in its default build: the replay, which has them, would not show it.
func (d *directory) lacking() (warnings Problems) {
	module, err := gomod.Find(d.dir)
	if err != nil || module == nil {
		return nil
	}
	drivers := slices.DeleteFunc(module.Drivers(), func(d string) bool { return d == gomod.Ncruces })
	if len(drivers) == 0 {
		return nil
	}
	for _, m := range d.migrations {
		said := map[string]bool{}
		for _, s := range m.statements {
			for i := s.First; i < s.End; i++ {
				name := s.uses(i)
				a := slices.IndexFunc(additions, func(a addition) bool { return slices.Contains(strings.Fields(a.names), name) })
				if name == "" || said[name] || a < 0 {
					continue
				}
				said[name] = true
				for _, driver := range drivers {
					if unless := additions[a].lackedBy(driver, d.opts.Conn != nil); unless != "" {
						warnings = append(warnings, m.at(m.script.Tokens[i].Pos, "%s is not in %s, unless %s", name, driver, unless))
					}
				}
			}
		}
	}
	return warnings
}

// lackedBy returns what a program with the driver must do to have the addition, or "" if it has
// it. With own, the program may register it itself.
func (a *addition) lackedBy(driver string, own bool) (unless string) {
	tag, lacks := a.tags[driver]
	switch {
	case !lacks || tag != "" && strings.Contains(os.Getenv("GOFLAGS"), tag), own && a.tags[gomod.Mattn] == "":
		return ""
	case tag != "":
		return "it is built with -tags " + tag
	}
	return "the program registers it"
}

// uses returns the function or, in CREATE VIRTUAL TABLE, the module that token i names, or
// "". REGEXP is an operator that calls a function.
func (s *statement) uses(i int) string {
	script := s.m.script
	if kind := script.Tokens[i].Kind; kind != sqltext.Word && kind != sqltext.Quoted {
		return ""
	}
	name := script.Name(i)
	before, next := script.Name(i-1), script.Name(i+1)
	switch {
	case before == "using" && script.Name(s.First+1) == "virtual":
		return name
	case name == "regexp" && next != "(":
		operand := i+1 < s.End && script.Tokens[i+1].Kind != sqltext.Punct
		if operand && before != "." && script.Tokens[i].Kind == sqltext.Word && i > s.First {
			return name
		}
		return ""
	case next != "(":
		return ""
	}
	switch before {
	case ".", "table", "exists", "into", "references", "with", "recursive", "view", "update":
		return "" // it is a table, with its columns
	case "on":
		if script.Name(s.First) == "create" && script.Name(s.First+1) != "view" {
			return ""
		}
	}
	return name
}
