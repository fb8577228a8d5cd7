package gen

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// withoutPrograms is replay for Options.NoPrograms: it replays the SQL before the program
// at index first, and takes the schema from lockstep_gen.go if that records just these
// migrations. If not, the schema is unknown.
func (d *directory) withoutPrograms(ctx context.Context, first int) error {
	before := directory{migrations: d.migrations[:first], opts: d.opts}
	if err := before.replay(ctx); err != nil {
		return err
	}
	d.findings = before.findings
	d.unknown = true
	fact := "not run, because of --no-programs; what it does to the schema is not known"
	if r, ok := d.recordedWhole(); ok {
		if objects, err := sqltext.ParseSchema(r.sql); err == nil {
			d.Objects, d.unknown = objects, false
			fact = "not run, because of --no-programs; the schema is the one that " + FileName + " records"
		}
	}
	d.Warnings = append(d.Warnings, Problem{File: d.migrations[first].name, Fact: fact})
	return nil
}

// recordedWhole returns the record in the directory if it is of these migrations.
func (d *directory) recordedWhole() (r record, ok bool) {
	source, err := os.ReadFile(filepath.Join(d.dir, FileName))
	if err == nil {
		r, err = parseRecord(source)
	}
	if err != nil || !d.complete || len(r.of) != len(d.migrations) {
		return r, false
	}
	for _, m := range d.migrations {
		if recorded := r.of[m.Version]; recorded.File != m.name || recorded.Checksum != m.checksum {
			return r, false
		}
	}
	return r, true
}
