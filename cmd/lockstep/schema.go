package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func schemaCommand(fs *flag.FlagSet) action {
	m, db, timeout := migrationsFlags(fs, gapsFlag), givenDBFlag(fs), timeoutFlag(fs)
	versionFlag(fs, "to", "`N`: the schema at version N", func(v lockstep.Version) { m.opts.To = v })
	noProgramsFlag(fs, &m.opts)
	return func(ctx context.Context, s *streams, _ []string) (result, error) {
		if m.opts.To != 0 && db.given && !m.given {
			return nil, usage("--to is for the migrations; give --migrations too")
		}
		out := &schemaResult{DB: db.value, Objects: []sqltext.Object{}, Changed: []sqltext.Difference{}, Extra: []sqltext.Object{}}
		var want, found []sqltext.Object
		if m.given || !db.given {
			schema, err := m.loadSchema(ctx, s)
			if err != nil {
				return nil, err
			}
			if want, err = sqltext.ParseSchema(schema.SQL); err != nil {
				return nil, err
			}
			out.Migrations, out.Version = m.value, schema.Expected
		}
		if !db.given {
			out.show(want)
			return out, nil
		}
		state, err := inspect(ctx, db.value, &lockstep.Schema{}, lockstep.WithTimeout(*timeout))
		if err != nil {
			return nil, err
		}
		if found = sqlite.Made(state.Objects); !m.given {
			out.show(found)
			return out, nil
		}
		changed, extra := sqltext.Diff(want, found)
		out.Changed, out.Extra = append(out.Changed, changed...), append(out.Extra, extra...)
		if n := len(changed) + len(extra); n > 0 {
			err = gen.Refuse("differs", "%s: differs from %s at version %v in %s", db.value, out.Migrations, out.Version, wording.Count(n, "object"))
		}
		return out, err
	}
}

// inspect opens a database, inspects it and closes it.
func inspect(ctx context.Context, path string, schema *lockstep.Schema, opts ...lockstep.Option) (*lockstep.State, error) {
	db, err := database.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Inspect(ctx, schema, opts...)
}

type schemaResult struct {
	Migrations string               `json:"migrations"`
	Version    lockstep.Version     `json:"version"`
	DB         string               `json:"db"`
	Schema     string               `json:"schema"`
	Objects    []sqltext.Object     `json:"objects"`
	Changed    []sqltext.Difference `json:"changed"`
	Extra      []sqltext.Object     `json:"extra"`
}

func (r *schemaResult) show(objects []sqltext.Object) {
	r.Schema = sqltext.FormatSchema(objects)
	r.Objects = append(r.Objects, objects...)
}

func (r *schemaResult) print(w io.Writer) {
	fmt.Fprint(w, r.Schema)
	printDifferences(w, r.Changed)
	for _, o := range r.Extra {
		fmt.Fprintf(w, "%s %s: no migration makes it\n%s", o.Type, wording.Printable(o.Name), marked("+", o.SQL))
	}
}

func printDifferences(w io.Writer, changed []sqltext.Difference) {
	for _, d := range changed {
		fmt.Fprintf(w, "%s\n%s%s", wording.Printable(d.Detail), marked("-", d.Want), marked("+", d.Found))
	}
}

// marked puts a mark before each line of a statement.
func marked(mark, sql string) string {
	if sql == "" {
		return ""
	}
	return mark + strings.ReplaceAll(sql, "\n", "\n"+mark) + ";\n"
}
