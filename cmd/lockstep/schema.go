package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func schemaCommand() command {
	return command{
		name: "schema",
		flags: func(fs *flag.FlagSet) action {
			migrations, db := migrationsFlag(fs), givenDBFlag(fs)
			var to versionFlag
			fs.Var(&to, "to", "`N`: the schema at version N")
			gaps, timeout, noPrograms := gapsFlag(fs), timeoutFlag(fs), noProgramsFlag(fs)
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				if to != 0 && db.given && !migrations.given {
					return nil, usage("--to is for the migrations; give --migrations too")
				}
				out := &schemaResult{DB: db.value, Objects: []sqltext.Object{}, Changed: []sqltext.Difference{}, Extra: []sqltext.Object{}}
				var want, found []sqltext.Object
				var err error
				if migrations.given || !db.given {
					out.Migrations = migrations.value
					want, out.Version, err = migrationsSchema(ctx, s, out.Migrations, gen.Options{Gaps: *gaps, To: lockstep.Version(to), NoPrograms: *noPrograms})
				}
				if err == nil && db.given {
					found, err = databaseSchema(ctx, db.value, *timeout)
				}
				switch {
				case err != nil:
					return nil, err
				case !db.given:
					out.show(want)
				case out.Migrations == "":
					out.show(found)
				default:
					changed, extra := sqltext.Diff(want, found)
					out.Changed, out.Extra = append(out.Changed, changed...), append(out.Extra, extra...)
					if n := len(changed) + len(extra); n > 0 {
						return out, refuse("differs", "%s: differs from %s at version %v in %s", db.value, out.Migrations, out.Version, wording.Count(n, "object"))
					}
				}
				return out, nil
			}
		},
	}
}

// migrationsSchema returns the objects that the migrations produce.
func migrationsSchema(ctx context.Context, s *streams, dir string, opts gen.Options) ([]sqltext.Object, lockstep.Version, error) {
	res, err := load(interpreter.Private(ctx), s, dir, opts)
	if err != nil {
		return nil, 0, err
	}
	if err := known(dir, res); err != nil {
		return nil, 0, err
	}
	objects, err := sqltext.ParseSchema(res.Schema.SQL)
	return objects, res.Schema.Expected, err
}

// databaseSchema returns the objects that people made in a database.
func databaseSchema(ctx context.Context, path string, timeout time.Duration) ([]sqltext.Object, error) {
	db, err := database.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	state, err := db.Inspect(ctx, &lockstep.Schema{}, lockstep.WithTimeout(timeout))
	if err != nil {
		return nil, err
	}
	return sqlite.Made(state.Objects), nil
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
		fmt.Fprintf(w, "%s %s: no migration makes it\n%s", o.Type, o.Name, marked("+", o.SQL))
	}
}

func printDifferences(w io.Writer, changed []sqltext.Difference) {
	for _, d := range changed {
		fmt.Fprintf(w, "%s\n%s%s", d.Detail, marked("-", d.Want), marked("+", d.Found))
	}
}

// marked puts a mark before each line of a statement.
func marked(mark, sql string) string {
	if sql == "" {
		return ""
	}
	return mark + strings.ReplaceAll(sql, "\n", "\n"+mark) + ";\n"
}
