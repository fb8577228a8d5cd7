package gen

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lockstep-db/lockstep/gen/git"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// prove reports the accepted migrations that make another schema than those recorded
// did. A database that ran the recorded ones would be refused as drifted, and a later
// migration could fail on it.
func (h history) prove(ctx context.Context, d *directory) (problems Problems) {
	for _, r := range []record{h.head, h.file} {
		var changed []lockstep.Version // that are accepted
		alone := true
		for _, v := range slices.Sorted(maps.Keys(r.of)) {
			switch i := d.index(v); {
			case i >= 0 && d.migrations[i].checksum == r.of[v].Checksum:
			case slices.Contains(d.opts.Accept, v):
				changed = append(changed, v)
			default:
				alone = false // the newest, of which no schema is recorded
			}
		}
		if len(changed) == 0 {
			continue
		}
		report := func(v lockstep.Version, fact, command string) {
			name := r.of[v].File
			if i := d.index(v); i >= 0 {
				name = d.migrations[i].name
			}
			problems = append(problems, Problem{File: name, Fact: fact, Command: command})
		}
		schemas := d.recordedSchemas(ctx, r, changed)
		if want, err := sqltext.ParseSchema(r.sql); alone && err == nil {
			schemas[r.newest()] = want
		}
		if len(schemas) == 0 && len(h.head.of) == 0 {
			report(changed[0], "cannot be accepted while the newest migration has changed, too; generate after each change", "")
		}
		for _, v := range slices.Sorted(maps.Keys(schemas)) {
			if difference := differ(schemas[v], d.schemaAt(v)); difference != "" {
				at := changed[0]
				for _, c := range changed {
					if c <= v {
						at = c
					}
				}
				report(at, fmt.Sprintf("not accepted: databases that ran the recorded contents have another schema; at %v, %s", v, difference),
					"write the difference as a new migration: lockstep new NAME")
				break
			}
		}
		if len(problems) > 0 {
			break
		}
	}
	return problems
}

// differ returns what the first difference of two schemas is, or "".
func differ(want, found []sqltext.Object) string {
	changed, extra := sqltext.Diff(want, found)
	switch {
	case len(changed) > 0:
		return changed[0].Detail
	case len(extra) > 0:
		return fmt.Sprintf("%s %s is new", extra[0].Type, extra[0].Name)
	}
	return ""
}

// index returns the index of a migration, or -1.
func (d *directory) index(v lockstep.Version) int {
	return slices.IndexFunc(d.migrations, func(m *migration) bool { return m.Version == v })
}

// schemaAt returns the schema at a version. There may be no migration of that number.
func (d *directory) schemaAt(v lockstep.Version) (objects []sqltext.Object) {
	for _, m := range d.migrations {
		if m.Version <= v {
			objects = d.Schemas[m.Version]
		}
	}
	return objects
}

// recordedSchemas returns the schemas after the changed migrations with the contents that
// r records, as far as git has these and they can be replayed.
func (d *directory) recordedSchemas(ctx context.Context, r record, changed []lockstep.Version) map[lockstep.Version][]sqltext.Object {
	schemas := map[lockstep.Version][]sqltext.Object{}
	var migrations []*migration
	for _, v := range slices.Sorted(maps.Keys(r.of)) {
		if v > changed[len(changed)-1] {
			break
		}
		m, ok := d.recorded(ctx, r.of[v])
		if !ok {
			return schemas
		}
		migrations = append(migrations, m)
	}
	replay, err := newReplay(ctx, d.opts)
	if err != nil {
		return schemas
	}
	defer replay.close()
	// Where one fails, for which it may have been changed, no database got further.
	_ = replay.run(ctx, migrations, func(m *migration) error {
		objects, err := replay.schema(ctx)
		if slices.Contains(changed, m.Version) {
			schemas[m.Version] = objects
		}
		return err
	})
	return schemas
}

// recorded returns the migration that is recorded, if its contents can be had, and it is
// no program.
func (d *directory) recorded(ctx context.Context, r lockstep.Migration) (m *migration, ok bool) {
	if i := d.index(r.Version); i >= 0 && d.migrations[i].checksum == r.Checksum {
		return d.migrations[i], d.migrations[i].sql()
	}
	text, ok, err := git.Show(ctx, d.dir, "HEAD", r.File)
	if !ok || err != nil {
		return nil, false
	}
	m = &migration{name: r.File}
	m.Version = r.Version
	m.parse(sqltext.Normalize([]byte(text)))
	return m, m.script.Checksum() == r.Checksum
}
