package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

func createCommand() command {
	return command{
		name: "create",
		flags: func(fs *flag.FlagSet) action {
			db := dbFlag(fs)
			timeout := timeoutFlag(fs)
			return func(ctx context.Context, _ *streams, args []string) (result, error) {
				return create(ctx, db.value, lockstep.WithTimeout(*timeout))
			}
		},
	}
}

func create(ctx context.Context, path string, opts ...lockstep.Option) (result, error) {
	open := database.Open
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		open = database.Create
	}
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()

	// Another process may be creating the same file: only its content counts.
	state, err := db.Inspect(ctx, &lockstep.Schema{}, opts...)
	if err != nil {
		return nil, err
	}
	if state.Managed {
		return &createResult{DB: path, Version: state.Version}, nil
	}
	if err := lockstep.Migrate(ctx, db.DB, &lockstep.Schema{}, opts...); err != nil {
		return nil, db.Named(err)
	}
	return &createResult{DB: path, Created: true}, nil
}

type createResult struct {
	DB      string           `json:"db"`
	Version lockstep.Version `json:"version"`
	Created bool             `json:"created"`
}

func (r *createResult) print(w io.Writer) {
	if r.Created {
		fmt.Fprintf(w, "%s: created at version %v\n", r.DB, r.Version)
	} else {
		fmt.Fprintf(w, "%s: exists, at version %v\n", r.DB, r.Version)
	}
}
