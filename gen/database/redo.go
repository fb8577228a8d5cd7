package database

import (
	"context"
	"errors"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
)

// A Redone is what became of a database whose migrations were edited after they ran.
type Redone struct {
	DB       string           `json:"db"`
	From     lockstep.Version `json:"from"`
	To       lockstep.Version `json:"to"`
	Redone   bool             `json:"redone"`
	Restored string           `json:"restored"` // the backup that was upgraded, or "" for a new database
	Backup   string           `json:"backup"`   // of what the database held

	Warnings gen.Problems `json:"-"`
}

// Redo replaces a database that has run other migrations than the schema's, or later ones, by
// the newest backup of an earlier version, upgraded with the schema's. It does nothing if the
// database is at head, or can be upgraded to it.
//
// If there is no such backup, rebuild decides whether to begin with an empty database. Redo
// backs up the old content first. After an error the database is as it was, unless the error
// says that this is not known.
func Redo(ctx context.Context, what Restoration, schema *lockstep.Schema, rebuild func() error, opts ...lockstep.Option) (*Redone, error) {
	db, err := OpenUnchanged(what.DB)
	if err != nil {
		return nil, err
	}
	state, err := db.Inspect(ctx, schema, opts...)
	db.Close()
	if err != nil {
		return nil, err
	}
	var refusal *lockstep.Error
	switch errors.As(state.Refusal, &refusal); {
	case refusal == nil || refusal.Kind == lockstep.ErrBehind:
		return &Redone{DB: what.DB, From: state.Version, To: state.Version}, nil
	case refusal.Kind == lockstep.ErrAhead:
		refusal.Backup = db.Beside(backupfile.Before(state.DB, int(schema.Expected)+1), state.DB)
	case refusal.Kind != lockstep.ErrDiverged:
		return nil, refusal
	}
	if refusal.Backup == "" {
		if err := rebuild(); err != nil {
			return nil, err
		}
	}
	what.Backup, what.upgrade = refusal.Backup, func(part string) error {
		db, err := Create(part)
		if err != nil {
			return err
		}
		defer db.Close()
		db.Path = what.DB // what fails is said of this one
		return db.Named(lockstep.Migrate(ctx, db.DB, schema, opts...))
	}
	restored, err := Restore(ctx, what)
	if err != nil {
		return nil, err
	}
	return &Redone{what.DB, state.Version, schema.Expected, true, refusal.Backup, restored.Backup, restored.Warnings}, nil
}
