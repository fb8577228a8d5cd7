package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/trial"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
)

func statusCommand(fs *flag.FlagSet) action {
	m, db, timeout := migrationsFlags(fs, gapsFlag), dbFlag(fs), timeoutFlag(fs)
	noProgramsFlag(fs, &m.opts)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		out := &statusResult{DB: db.value, Applied: []appliedMigration{}, Pending: []string{}, Extra: []extraObject{}}
		schema, broken := &lockstep.Schema{}, error(nil)
		if _, err := os.Stat(m.value); m.given || !errors.Is(err, os.ErrNotExist) {
			m.opts.NoUpgrade = true
			found, err := m.load(interpreter.Private(ctx), s)
			if exit := gen.Exit(0); errors.As(err, &exit) || ctx.Err() != nil {
				return nil, err
			}
			if broken = err; err == nil {
				schema, out.Migrations, out.Expected = found, m.value, &found.Expected
			}
		}
		state, err := inspect(ctx, db.value, schema, lockstep.WithTimeout(*timeout))
		if err != nil {
			return nil, both{broken, err}
		}
		out.Managed, out.Version = state.Managed, state.Version
		for _, a := range state.Applied {
			out.Applied = append(out.Applied, appliedMigration{a.Version, a.File, a.Checksum, a.At, trial.Milliseconds(a.Took), a.Program})
		}
		if out.Expected == nil { // only ErrUnmanaged means anything
			if !errors.Is(state.Refusal, lockstep.ErrUnmanaged) {
				state.Refusal = nil
			}
			return out, both{broken, state.Refusal}
		}
		for _, m := range state.Pending {
			out.Pending = append(out.Pending, m.File)
		}
		if schema.Fingerprint == "" { // nothing is known to be extra
			state.Extra = nil
		}
		for _, o := range state.Extra {
			out.Extra = append(out.Extra, extraObject{o.Type, o.Name})
		}
		if errors.Is(state.Refusal, lockstep.ErrBehind) {
			return out, nil
		}
		return out, state.Refusal
	}
}

type statusResult struct {
	DB         string             `json:"db"`
	Managed    bool               `json:"managed"`
	Version    lockstep.Version   `json:"version"`
	Migrations string             `json:"migrations"`
	Expected   *lockstep.Version  `json:"expected"`
	Applied    []appliedMigration `json:"applied"`
	Pending    []string           `json:"pending"`
	Extra      []extraObject      `json:"extra"`
}

type appliedMigration struct {
	Version  lockstep.Version   `json:"version"`
	File     string             `json:"file"`
	Checksum string             `json:"checksum"`
	At       time.Time          `json:"at"`
	Took     trial.Milliseconds `json:"ms"`
	Program  string             `json:"program"`
}

type extraObject struct {
	Type string `json:"type"`
	Name string `json:"name"`
}
