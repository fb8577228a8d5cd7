package gen

import (
	"context"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/gen/prove"
	"github.com/lockstep-db/lockstep/runtime"
)

// historyTries are the runs of migrations to find the rows that show what is found, unless all
// are asked for: they take the most time by far, and nobody can change what they are about.
const historyTries = 200

// A review tries the migrations in SQL that databases may have run, beside the replay. It takes
// from that only the state which a program has left. The halves of a long history are tried
// at once.
type review struct {
	cancel context.CancelFunc
	scope  scope
	states map[lockstep.Version]chan []byte // of the database before that migration
	parts  []*part
	all    sync.WaitGroup
}

// A part is migrations that are tried one after the other.
type part struct {
	*review
	migrations []*migration
	open       func() (*replay, error)
	trial      *prover // with rows
	plain      *replay // without; nil until it is needed
	state      []byte  // that plain begins with; nil is none
	at         int     // the migration that comes next in plain

	notes, untried Problems
	err            error
}

// begin begins a review, if there is more than one note.
func (r *replay) begin(ctx context.Context, migrations []*migration) error {
	rv := &review{scope: r.scope, states: map[lockstep.Version]chan []byte{}}
	reviewed := slices.DeleteFunc(slices.Clone(migrations), func(m *migration) bool { return !rv.reviews(m) })
	if !r.scope.Rows {
		return nil
	}
	if r.copies = copiesIn(migrations); len(reviewed) < 2 {
		return nil
	}
	ctx, rv.cancel = context.WithCancel(ctx)
	r.review = rv
	if prepare := r.opts.Conn; prepare != nil { // it may not be made for several at once
		var one sync.Mutex
		r.opts.Conn = func(conn *sqlite3.Conn) error {
			one.Lock()
			defer one.Unlock()
			return prepare(conn)
		}
	}
	for i, m := range migrations[:len(migrations)-1] {
		if !m.sql() {
			rv.states[migrations[i+1].Version] = make(chan []byte, 1)
		}
	}
	const long = 20
	first := migrations
	if len(reviewed) > long {
		// The second part waits for the replay to come there, and takes as long as what is left of the first.
		second := slices.Index(migrations, reviewed[len(reviewed)*3/4])
		rv.states[migrations[second].Version] = make(chan []byte, 1)
		first = migrations[:second]
		rv.parts = append(rv.parts, &part{migrations: migrations[second:]})
	}
	rv.parts = append(rv.parts, &part{migrations: first})
	for _, p := range rv.parts {
		p.review = rv
		p.open = func() (*replay, error) { return newReplay(ctx, r.opts) }
		var err error
		if p.trial, err = newProver(ctx, r.opts, r.copies); err != nil {
			return err
		}
		if !r.scope.All {
			tries := historyTries / len(rv.parts)
			p.trial.database.Tries = &tries
		}
		rv.all.Go(func() { p.err = p.run(ctx) })
	}
	return nil
}

// reviews reports whether a review tries the migration.
func (rv *review) reviews(m *migration) bool {
	return m.sql() && slices.Contains(rv.scope.Notes, m.Version)
}

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
		p.notes = slices.DeleteFunc(p.notes, known.hasPlace)
		r.Warnings, r.Untried = append(r.Warnings, p.notes...), append(r.Untried, p.untried...)
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
		if p.trial != nil {
			p.trial.close()
		}
		if p.plain != nil {
			p.plain.close()
		}
	}
}

func (p *part) run(ctx context.Context) error {
	for i, m := range p.migrations {
		if state := p.states[m.Version]; state != nil {
			select {
			case p.state = <-state:
			case <-ctx.Done():
				return ctx.Err()
			}
			p.at = i
			p.trial.database.Forget()
			if p.plain != nil {
				if err := serdes.Deserialize(p.plain.conn, "main", p.state); err != nil {
					return err
				}
			}
		}
		switch {
		case m.refused():
			return nil // the replay reports that
		case !p.reviews(m):
			p.trial.database.Forget()
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
	m, database := p.migrations[i], p.trial.database
	tried := &prove.Migration{Script: m.script, Statements: m.cut, Alone: m.alone}
	before := func() ([]byte, error) { return p.before(i) }
	suspect := m.alone
	if !suspect {
		suspect, err = database.Suspect(ctx, tried, before)
	}
	if !suspect || err != nil {
		return err
	}
	state, err := before()
	if err != nil {
		return err
	}
	found, empty, err := database.Find(ctx, tried, state)
	problems, notes := m.answered(found)
	p.notes = slices.Concat(p.notes, problems, notes)
	_, untried := m.untried(empty, true)
	p.untried = append(p.untried, untried...)
	return err
}

// before returns the database before migration i.
func (p *part) before(i int) (state []byte, err error) {
	if p.at == i && p.plain == nil {
		return p.state, nil
	}
	if p.plain == nil {
		plain, err := p.open()
		if err != nil {
			return nil, err
		}
		if p.plain = plain; p.state != nil {
			err = serdes.Deserialize(plain.conn, "main", p.state)
		}
		if err != nil {
			return nil, err
		}
	}
	for ; p.at < i && err == nil; p.at++ {
		m := p.migrations[p.at]
		if err = p.plain.transaction(!m.alone); err == nil {
			_, err = p.plain.migration(m)
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
