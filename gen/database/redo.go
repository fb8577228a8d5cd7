package database

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// A Redone is what became of a database whose migrations were edited after they ran on it.
type Redone struct {
	DB       string           `json:"db"`
	From     lockstep.Version `json:"from"`
	To       lockstep.Version `json:"to"`
	Redone   bool             `json:"redone"`
	Restored string           `json:"restored"` // the backup that was upgraded, or "" for a new database
	Backup   string           `json:"backup"`   // of what the database held

	Warnings gen.Problems `json:"-"`
}

// Redo gives a database that other migrations made, or later ones, the content that those
// of the schema make of the newest backup of an earlier version. It does nothing if the
// database is at head, or can be upgraded to it.
//
// Where there is no such backup, anew decides whether to begin with an empty database. What
// the database held is backed up first. After an error it is as it was, unless the error
// says that this is not known.
func Redo(ctx context.Context, what Restoration, schema *lockstep.Schema, anew func() error, opts ...lockstep.Option) (*Redone, error) {
	db, err := OpenUnchanged(what.DB)
	if err != nil {
		return nil, err
	}
	state, err := db.Inspect(ctx, schema, opts...)
	db.Close()
	if err != nil {
		return nil, err
	}
	out := &Redone{DB: what.DB, From: state.Version, To: state.Version}
	var refusal *lockstep.Error
	switch errors.As(state.Refusal, &refusal); {
	case refusal == nil || refusal.Kind == lockstep.ErrBehind:
		return out, nil
	case refusal.Kind == lockstep.ErrAhead:
		refusal.Backup = db.Beside(backupfile.Before(state.DB, int(schema.Expected)+1), state.DB)
	case refusal.Kind != lockstep.ErrDiverged:
		return nil, refusal
	}
	if refusal.Backup == "" {
		if err := anew(); err != nil {
			return nil, err
		}
	}
	file, err := filepath.EvalSymlinks(what.DB)
	if err != nil {
		return nil, gen.FileError(what.DB, err)
	}
	part, remove, err := diskfile.MakePart(file)
	if err != nil {
		return nil, gen.FileError(filepath.Dir(what.DB), err)
	}
	defer remove()
	if err := upgraded(ctx, refusal.Backup, part, what, schema, opts); err != nil {
		return nil, err
	}
	what.Backup = part
	restored, err := Restore(ctx, what)
	if err != nil {
		return nil, err
	}
	out.To, out.Redone, out.Restored = schema.Expected, true, refusal.Backup
	out.Backup, out.Warnings = restored.Backup, restored.Warnings
	return out, nil
}

// upgraded makes a database at the path part: a copy of the backup, or an empty one, upgraded.
func upgraded(ctx context.Context, backup, part string, what Restoration, schema *lockstep.Schema, opts []lockstep.Option) error {
	if backup != "" {
		from, err := OpenUnchanged(backup)
		if err != nil {
			return err
		}
		err = from.CopyTo(ctx, part, what.Timeout)
		from.Close()
		if err != nil {
			return gen.FileError(backup, err)
		}
	}
	db, err := Create(part)
	if err != nil {
		return err
	}
	defer db.Close()
	db.Path = what.DB // what fails is said of this one
	return db.Named(lockstep.Migrate(ctx, db.DB, schema, opts...))
}
