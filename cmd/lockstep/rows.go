package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/script"
)

func rowsCommand(fs *flag.FlagSet) action {
	m := migrationsFlags(fs, gapsFlag)
	versionFlag(fs, "to", "`N`: rows for version N (default the newest)", func(v lockstep.Version) { m.opts.To = v })
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		ctx = interpreter.Private(ctx)
		schema, err := m.load(ctx, s)
		if err != nil {
			return nil, err
		}
		file, remove, err := diskfile.MakePart(filepath.Join(os.TempDir(), "lockstep-rows"))
		if err != nil {
			return nil, gen.FileError(os.TempDir(), err)
		}
		defer remove()
		db, err := database.Connect(file, "rwc", database.Prepare)
		if err != nil {
			return nil, err
		}
		defer db.Close()
		db.Path = m.value
		if err := lockstep.Migrate(ctx, db.DB, schema, script.WithConn(database.Prepare)); err != nil {
			return nil, db.Named(err)
		}
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, db.Named(err)
		}
		defer conn.Close()
		filling, err := rows.Fill(ctx, conn, rows.Options{})
		if err != nil {
			return nil, db.Named(err)
		}
		filling.Inserts, filling.Empty = append([]rows.Insert{}, filling.Inserts...), append([]rows.Empty{}, filling.Empty...)
		return &rowsResult{m.value, schema.Expected, filling}, nil
	}
}

type rowsResult struct {
	Migrations string           `json:"migrations"`
	Version    lockstep.Version `json:"version"`
	*rows.Filling
}
