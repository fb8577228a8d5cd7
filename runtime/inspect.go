package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A State is what [Inspect] finds.
type State struct {
	DB      string  // the database's file as SQLite names it, or ":memory:"
	Managed bool    // the database has a version
	Version Version // 0 if it has none
	Applied []Applied
	Pending []Migration          // what Migrate would run; nil if it would refuse
	Objects []sqltext.Object     // the schema of the database, lockstep's tables included
	Changed []sqltext.Difference // at Expected: objects that are not what the migrations produce
	Extra   []sqltext.Object     // at Expected: objects that no migration made
	Refusal error                // what Check returns
}

// Applied is a migration that a database has been through, as it was recorded.
type Applied struct {
	Version  Version
	File     string
	Checksum string // "" if another tool applied it
	At       time.Time
	Took     time.Duration
	Program  string // the module and version of the program that applied it
}

// Inspect reads what a database says of itself, whether or not it would be
// refused. It never writes. The error is for what could not be read at all.
func Inspect(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) (*State, error) {
	var state *State
	err := configure(opts).persist(ctx, db, s, func(g *gate, ctx context.Context) (err error) {
		state, err = g.inspect(ctx)
		return err
	})
	return state, err
}

func (g *gate) inspect(ctx context.Context) (*State, error) {
	s := g.schema
	st, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	state := &State{DB: st.db, Managed: st.managed, Version: st.version, Objects: st.objects}
	state.Refusal = g.announce(judge(s, st, g.allow))
	for _, r := range st.history {
		state.Applied = append(state.Applied, r.Applied)
	}
	if errors.Is(state.Refusal, ErrBehind) {
		state.Pending = s.after(st.version)
	}
	if st.managed && st.version == s.Expected {
		changed, extra, err := s.diff(st.objects)
		if err != nil {
			return state, err
		}
		state.Changed, state.Extra = changed, extra
	}
	return state, nil
}
