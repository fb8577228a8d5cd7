package main

import (
	"context"
	"flag"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
)

func checkCommand(fs *flag.FlagSet) action {
	m, db := migrationsFlags(fs, generateFlags), givenDBFlag(fs)
	noProgramsFlag(fs, &m.opts)
	timeout, allow := timeoutFlag(fs), allowFlag(fs)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		opts, _ := m.options()
		res, err := generate(ctx, s, m.value, opts)
		if err != nil {
			return nil, err
		}
		out := &checkResult{Migrations: m.value, Version: res.Schema.Expected, DB: db.value, File: filepath.Join(m.value, gen.FileName)}
		why, err := res.Stale()
		if err == nil && why != "" {
			err = refuseStale(m.value, why)
		}
		out.Current = err == nil
		if !db.given {
			return out, err
		}
		state, refusal := inspect(ctx, db.value, res.Schema,
			append(*allow, lockstep.WithTimeout(*timeout), warningsOf(db.value, s))...)
		if refusal == nil {
			refusal = state.Refusal
		}
		out.DBCurrent = refusal == nil
		return out, both{err, refusal}
	}
}

type checkResult struct {
	Migrations string           `json:"migrations"`
	Version    lockstep.Version `json:"version"`
	Current    bool             `json:"current"`
	DB         string           `json:"db"`
	DBCurrent  any              `json:"dbCurrent"` // nil without a database
	File       string           `json:"-"`
}
