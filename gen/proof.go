package gen

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/gen/prove"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A weight is what something found in a migration on rows is, or its reliance on a cascade.
type weight int

const (
	nothing weight = iota // it is not even looked for
	note                  // databases may have run the migration, so it can no longer change
	problem
)

// weights are those of the migrations, by version.
type weights map[lockstep.Version]weight

// weights returns the weights of the migrations. With all, none is nothing.
func (h history) weights(migrations []*migration, all bool) weights {
	weights := weights{}
	for i, m := range migrations {
		file, inFile := h.file.of[m.Version]
		_, inHead := h.head.of[m.Version]
		switch isLast := i == len(migrations)-1; {
		case h.head.of != nil && !inHead, h.head.of == nil && h.file.of != nil && (!inFile || isLast && file.Checksum != m.checksum):
			weights[m.Version] = problem
		case h.head.of == nil && (h.file.of == nil || isLast), all:
			weights[m.Version] = note
		}
	}
	return weights
}

// A prover tries migrations on rows, each on the database before it.
type prover struct {
	*replay
	database *prove.Database
}

// newProver opens the database. The caller closes it.
func (r *replay) newProver(ctx context.Context) (*prover, error) {
	opts := r.opts
	opts.Output = nil // what is printed is, by the replay
	trial, err := newReplay(ctx, opts)
	if err != nil {
		return nil, err
	}
	trial.weights = r.weights
	return &prover{trial, &prove.Database{Conn: trial.conn, DB: trial.tx, Copies: r.copies}}, nil
}

// copiesIn returns the copies in the migrations, if there are virtual tables.
func copiesIn(migrations []*migration) (copies []prove.Copy) {
	virtual := func(m *migration) bool { return m.sql() && strings.Contains(sqltext.Fold(m.script.Text), "virtual") }
	if slices.ContainsFunc(migrations, virtual) {
		for _, m := range migrations {
			copies = append(copies, prove.CopiesIn(m.cut)...)
		}
	}
	return copies
}

// prove tries the migration that is about to be replayed, unless a review does. It returns
// what is wrong with it.
func (r *replay) prove(ctx context.Context, m *migration) (problems, notes Problems, err error) {
	weight := r.weights[m.Version]
	switch {
	case r.opts.Prove == "none" || len(r.Problems) > 0 || m.refused() || weight == nothing:
		return nil, nil, nil
	case weight == note && (r.review != nil && m.sql() || scriptPrograms[m.Ext] != nil && r.opts.Prove != "all"): // it would run twice
		return nil, nil, nil
	}
	if r.prover == nil {
		if r.prover, err = r.newProver(ctx); err != nil {
			return nil, nil, err
		}
	}
	if err := r.transaction(false); err != nil {
		return nil, nil, err
	}
	before, err := serdes.Serialize(r.conn, "main")
	if err != nil {
		return nil, nil, err
	}
	problems, notes, untried, err := r.prover.find(ctx, m, before)
	r.Untried = append(r.Untried, untried...)
	return problems, notes, err
}

// tried returns the migration as what is tried.
func (p *prover) tried(ctx context.Context, m *migration) *prove.Migration {
	tried := &prove.Migration{Script: m.script, Statements: m.cut, Alone: m.alone, Slow: scriptPrograms[m.Ext] != nil}
	if !m.sql() {
		tried.Run = func() error { return p.program(ctx, m) }
	}
	return tried
}

// find tries a migration on the database before it.
func (p *prover) find(ctx context.Context, m *migration, before []byte) (problems, notes, untried Problems, err error) {
	found, empty, err := p.database.Find(ctx, p.tried(ctx, m), before)
	problems, notes = m.answered(found)
	if p.weights[m.Version] == note {
		problems, notes = nil, append(problems, notes...)
	}
	for _, e := range empty {
		at := Problem{File: m.name, Fact: fmt.Sprintf("not tried on rows of %s, which cannot be filled: %s", e.Table, e.Reason)}
		if p.weights[m.Version] == problem && m.mentions(e.Table) {
			notes = append(notes, at)
		} else {
			untried = append(untried, at)
		}
	}
	return problems, notes, untried, err
}

// refused reports whether the migration has a statement that no migration may have.
func (m *migration) refused() bool {
	return slices.ContainsFunc(m.statements, func(s *statement) bool { return s.refused() != nil })
}

// mentions reports whether a name occurs in the migration.
func (m *migration) mentions(name string) bool {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\b`).MatchString(m.script.Text)
}

// program runs a migration that is a program.
func (p *prover) program(ctx context.Context, m *migration) error {
	p.findings = findings{}
	if err := p.transaction(true); err != nil {
		return err
	}
	err := p.step(ctx, m)
	p.cascades.end()
	if errors.Is(err, errFailed) {
		err = errors.New(p.Problems[0].Fact)
	}
	return errors.Join(err, p.transaction(false))
}

// answered returns the findings that the author has not answered, and the answers to none.
func (m *migration) answered(found []prove.Finding) (problems, notes Problems) {
	answers := m.answers()
	for _, f := range found {
		verb, more := intended, "; if that is meant: -- lockstep: intended REASON"
		if f.Failure {
			verb, more = assumes, "; if that cannot be: -- lockstep: assumes FACT"
		}
		used := false
		for i := range answers {
			if a := &answers[i]; a.verb == verb && a.statement == f.Statement {
				a.used, used = true, !f.Always
			}
		}
		if used {
			continue
		}
		if f.Always {
			more = ""
		}
		p := Problem{File: m.name, Fact: f.Fact + more}
		if f.Statement >= 0 {
			p = m.statements[f.Statement].problem(p.Fact)
		}
		for _, row := range f.Rows {
			p.Rows += row.SQL + "\n"
		}
		if f.Note {
			notes = append(notes, p)
		} else {
			problems = append(problems, p)
		}
	}
	for _, a := range answers {
		if !a.used {
			problems = append(problems, m.at(a.pos, `"-- lockstep: %s" answers nothing that is found here; remove it`, a.verb))
		}
	}
	return problems, notes
}

// An answer is a directive that answers findings.
type answer struct {
	verb      string
	statement int // or -1 in a program
	pos       int
	used      bool
}

// inProgram finds directives in a program, where they answer what is found in it.
var inProgram = regexp.MustCompile(`(?m)^[ \t]*(?:#|//)[ \t]*lockstep:[ \t]*(intended|assumes)[ \t]+\S`)

func (m *migration) answers() (answers []answer) {
	if !m.sql() {
		for _, at := range inProgram.FindAllStringSubmatchIndex(m.script.Text, -1) {
			answers = append(answers, answer{m.script.Text[at[2]:at[3]], -1, at[0], false})
		}
		return answers
	}
	for i, s := range m.cut {
		for _, r := range s.Remarks() {
			if verb, _, _ := strings.Cut(r.Words, " "); verb == intended || verb == assumes {
				answers = append(answers, answer{verb, i, m.script.Tokens[r.Token].Pos, false})
			}
		}
	}
	return answers
}
