package gen

import (
	"context"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/runtime"
)

// historyTries bounds how often migrations run to find the rows that show a finding, unless
// all are asked for: that takes the most time by far, and nobody can change these migrations.
const historyTries = 200

// A review tries the SQL migrations that databases may have run, in parallel with the replay. It
// takes from the replay only the state that a program has left. The parts of a long history are
// tried in parallel.
type review struct {
	cancel context.CancelFunc
	states map[lockstep.Version]chan []byte // of the database before that migration
	parts  []*part
	all    sync.WaitGroup
}

// A part is migrations that are tried one after the other.
type part struct {
	*prover
	states     map[lockstep.Version]chan []byte // of the review
	migrations []*migration
	plain      *replay // without rows
	at         int     // the migration that comes next in plain
	err        error
}

// begin begins a review, if there is more than one note. It opens all that the parts need, because
// Options.Conn may not be made for several connections at once.
func (r *replay) begin(ctx context.Context, migrations []*migration) error {
	if r.opts.Prove == "none" {
		return nil
	}
	r.copies = copiesIn(migrations)
	reviewed := slices.DeleteFunc(slices.Clone(migrations), func(m *migration) bool { return !r.reviews(m) })
	if len(reviewed) < 2 {
		return nil
	}
	rv := &review{states: map[lockstep.Version]chan []byte{}}
	ctx, rv.cancel = context.WithCancel(ctx)
	r.review = rv
	for i, m := range migrations[:len(migrations)-1] {
		if !m.sql() {
			rv.states[migrations[i+1].Version] = make(chan []byte, 1)
		}
	}
	parts := [][]*migration{migrations}
	const long = 20
	if len(reviewed) > long {
		// The second part waits for the replay to come there, and takes as long as what is left of the first.
		second := slices.Index(migrations, reviewed[len(reviewed)*3/4])
		rv.states[migrations[second].Version] = make(chan []byte, 1)
		parts = [][]*migration{migrations[second:], migrations[:second]}
	}
	for _, migrations := range parts {
		prover, err := r.newProver(ctx)
		if err != nil {
			return err
		}
		p := &part{prover: prover, states: rv.states, migrations: migrations}
		rv.parts = append(rv.parts, p)
		if p.plain, err = newReplay(ctx, prover.opts); err != nil {
			return err
		}
		if r.opts.Prove != "all" {
			tries := historyTries / len(parts)
			p.database.Tries = &tries
		}
	}
	for _, p := range rv.parts {
		rv.all.Go(func() { p.err = p.run(ctx) })
	}
	return nil
}

// reviews reports whether a review tries the migration.
func (r *replay) reviews(m *migration) bool { return m.sql() && r.weights[m.Version] == note }

// reached gives the state before a migration to the review, if that needs it.
func (r *replay) reached(m *migration) error {
	if r.review == nil || r.review.states[m.Version] == nil {
		return nil
	}
	if err := r.transaction(false); err != nil {
		return err
	}
	state, err := serdes.Serialize(r.conn, "main")
	r.review.states[m.Version] <- state
	return err
}

// end waits for the review. What it has found at a place of which something is known is left out.
func (r *replay) end(known Problems) error {
	if r.review == nil {
		return nil
	}
	r.review.all.Wait()
	for _, p := range r.review.parts {
		if p.err != nil {
			return p.err
		}
		p.Warnings = slices.DeleteFunc(p.Warnings, known.hasPlace)
		r.Warnings, r.Untried = append(r.Warnings, p.Warnings...), append(r.Untried, p.Untried...)
	}
	return nil
}

// close ends the review, wherever it is.
func (rv *review) close() {
	if rv == nil {
		return
	}
	rv.cancel()
	rv.all.Wait()
	for _, p := range rv.parts {
		p.close()
		p.plain.close()
	}
}

func (p *part) run(ctx context.Context) error {
	for i, m := range p.migrations {
		if state := p.states[m.Version]; state != nil {
			select {
			case before := <-state:
				if err := serdes.Deserialize(p.plain.conn, "main", before); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			p.at = i
			p.database.Forget()
		}
		switch {
		case m.refused():
			return nil // the replay reports that
		case !p.reviews(m):
			p.database.Forget()
			continue
		}
		if err := p.try(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// try tries migration i.
func (p *part) try(ctx context.Context, i int) (err error) {
	m := p.migrations[i]
	before := func() ([]byte, error) { return p.before(i) }
	suspect := m.alone
	if !suspect {
		suspect, err = p.database.Suspect(ctx, p.tried(ctx, m), before)
	}
	if !suspect || err != nil {
		return err
	}
	state, err := before()
	if err != nil {
		return err
	}
	_, notes, untried, err := p.find(ctx, m, state)
	p.Warnings, p.Untried = append(p.Warnings, notes...), append(p.Untried, untried...)
	return err
}

// before returns the database before migration i.
func (p *part) before(i int) (state []byte, err error) {
	for ; p.at < i && err == nil; p.at++ {
		m := p.migrations[p.at]
		if err = p.plain.transaction(!m.alone); err == nil {
			err = p.plain.migration(m)
		}
	}
	if err == nil {
		err = p.plain.transaction(false)
	}
	if err != nil {
		return nil, err
	}
	return serdes.Serialize(p.plain.conn, "main")
}
