package main

import (
	"context"
	"flag"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

func createCommand(fs *flag.FlagSet) action {
	path, timeout := dbFlag(fs), timeoutFlag(fs)
	return func(ctx context.Context, _ *streams, _ []string) (any, error) {
		db, err := database.Open(path.value)
		if kindOf(err) == "missing" {
			db, err = database.Create(path.value)
		}
		if err != nil {
			return nil, err
		}
		defer db.Close()

		// Another process may be creating the same file: only its content counts.
		state, err := db.Inspect(ctx, &lockstep.Schema{}, lockstep.WithTimeout(*timeout))
		if err != nil {
			return nil, err
		}
		out := &createResult{DB: path.value, Version: state.Version, Created: !state.Managed}
		if out.Created {
			err = lockstep.Migrate(ctx, db.DB, &lockstep.Schema{}, lockstep.WithTimeout(*timeout))
		}
		if err != nil {
			return nil, db.Named(err)
		}
		return out, nil
	}
}

type createResult struct {
	DB      string           `json:"db"`
	Version lockstep.Version `json:"version"`
	Created bool             `json:"created"`
}
