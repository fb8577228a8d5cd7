package gen

import (
	"context"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// withoutPrograms is replay for Options.NoPrograms: it replays the SQL before the program
// at index first, and takes the schema from lockstep_gen.go if that records just these
// migrations. If not, the schema is unknown.
func (d *directory) withoutPrograms(ctx context.Context, first int, recorded record) error {
	before := directory{migrations: d.migrations[:first], opts: d.opts}
	before.opts.Prove = "none"
	if err := before.replay(ctx, nil); err != nil {
		return err
	}
	d.findings = before.findings
	d.unknown = true
	fact := "not run, because of --no-programs; what it does to the schema is not known"
	if d.isRecorded(recorded) {
		d.unknown = false
		fact = "not run, because of --no-programs; the schema is the one that " + FileName + " records"
	}
	d.Warnings = append(d.Warnings, Problem{File: d.migrations[first].name, Fact: fact})
	return nil
}

// isRecorded takes the schema from the record if it is of just these migrations.
func (d *directory) isRecorded(r record) bool {
	objects, err := sqltext.ParseSchema(r.sql)
	if err != nil || !d.complete || len(r.of) != len(d.migrations) || sqltext.Fingerprint(objects) != r.sum {
		return false
	}
	for _, m := range d.migrations {
		if recorded := r.of[m.Version]; recorded.File != m.name || recorded.Checksum != m.checksum {
			return false
		}
	}
	d.Objects = objects
	return true
}
