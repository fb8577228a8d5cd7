package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

func checkCommand() command {
	return command{
		name: "check",
		flags: func(fs *flag.FlagSet) action {
			migrations, db := migrationsFlag(fs), givenDBFlag(fs)
			opts := generateFlags(fs)
			timeout, allow, noPrograms := timeoutFlag(fs), allowFlag(fs), noProgramsFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				dir := migrations.value
				opts.NoPrograms = *noPrograms
				if line, ok := directive(dir); ok {
					opts.Gaps = opts.Gaps || line.Gaps
					opts.DQS = opts.DQS || line.DQS
					opts.Accept = append(opts.Accept, line.Accept...)
				}
				res, err := generate(ctx, s, dir, *opts)
				if err != nil {
					return nil, err
				}
				out := &checkResult{Migrations: dir, Version: res.Schema.Expected}
				why, err := res.Stale()
				if err == nil && why != "" {
					err = refuseStale(dir, why)
				}
				out.Current = err == nil
				if db.given {
					out.DB = db.value
					refusal := checkDatabase(ctx, db.value, res.Schema,
						lockstep.WithTimeout(*timeout), lockstep.WithAllowed(*allow), warningsOf(db.value, s))
					current := refusal == nil
					out.DBCurrent = &current
					err = join(err, refusal)
				}
				return out, err
			}
		},
	}
}

func checkDatabase(ctx context.Context, path string, schema *lockstep.Schema, opts ...lockstep.Option) error {
	db, err := database.Open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Named(lockstep.Check(ctx, db.DB, schema, opts...))
}

type checkResult struct {
	Migrations string           `json:"migrations"`
	Version    lockstep.Version `json:"version"`
	Current    bool             `json:"current"`
	DB         string           `json:"db"`
	DBCurrent  *bool            `json:"dbCurrent"`
}

func (r *checkResult) print(w io.Writer) {
	if r.Current {
		fmt.Fprintf(w, "%s: current, version %v\n", filepath.Join(r.Migrations, gen.FileName), r.Version)
	}
	if r.DBCurrent != nil && *r.DBCurrent {
		fmt.Fprintf(w, "%s: at version %v\n", r.DB, r.Version)
	}
}
