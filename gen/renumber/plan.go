// Package renumber is not for programs and promises nothing: it may change in any release.
//
// It gives new numbers to one branch's migrations where another branch used the same
// ones: after those of the other branch, in their order. [New] says what would change,
// and [Plan.Apply] changes it.
package renumber

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/git"
	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// Options say which migrations move. The zero value leaves it to git.
type Options struct {
	Onto string   // the commit whose migrations stay, or ""
	Move []string // the files that move, or none
	Gaps bool     // numbers may be missing

	Plain bool // the directory is no Go package: there is nothing to generate
}

// A Plan is what changes.
type Plan struct {
	Dir     string           `json:"-"`
	Stays   string           `json:"stays"` // the commit whose migrations stay; "" with Options.Move
	Moves   []Move           `json:"moves"` // by number
	Names   []Name           `json:"names"` // in Go code
	Version lockstep.Version `json:"-"`     // of the last migration, afterwards

	// Conflicts are the places in Go files with such names that git could not merge. The
	// names there stay.
	Conflicts gen.Problems `json:"-"` // absolute

	plain bool
	edits map[string]edit // of Go files, by absolute path
}

// A Move gives a migration another number.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`

	from, to filename.Name
	both     bool // both sides have a file of this name: the other side's stays
}

// A Name is an identifier in Go code that has a migration's number in it.
type Name struct {
	File string `json:"file"` // absolute
	Line int    `json:"line"`
	From string `json:"from"`
	To   string `json:"to"`
}

// edit is a Go file in which names change.
type edit struct{ old, new []byte }

// New plans the renumbering of the migrations in dir. A plan without Moves is for a
// directory in which nothing needs to move.
func New(ctx context.Context, dir string, opts Options) (*Plan, error) {
	files, err := gen.Files(dir)
	if err != nil {
		return nil, err
	}
	p := &Plan{Dir: dir, Moves: []Move{}, Names: []Name{}, Version: last(files), plain: opts.Plain, edits: map[string]edit{}}
	if len(opts.Move) > 0 {
		err = p.moveNamed(files, opts.Move)
	} else {
		err = p.moveSide(ctx, files, opts)
	}
	if err != nil || len(p.Moves) == 0 {
		return p, err
	}
	if err := p.comment(); err != nil {
		return nil, err
	}
	return p, p.rename(ctx, files)
}

// comment plans to change the numbers in the comments that "lockstep new" wrote.
func (p *Plan) comment() error {
	for _, m := range p.Moves {
		path, err := filepath.Abs(filepath.Join(p.Dir, m.From))
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return gen.FileError(filepath.Join(p.Dir, m.From), err)
		}
		if now := scaffold.Renumber(string(text), m.from, m.to); now != string(text) && !m.both {
			p.edits[path] = edit{text, []byte(now)}
		}
	}
	return nil
}

func last(files []filename.Name) (last lockstep.Version) {
	for _, f := range files {
		last = max(last, f.Version)
	}
	return last
}

func byVersion(a, b filename.Name) int { return int(a.Version - b.Version) }

// moveNamed plans to move the files that the user named.
func (p *Plan) moveNamed(files []filename.Name, names []string) error {
	var moving []filename.Name
	stay := slices.Clone(files)
	for _, name := range names {
		i := slices.IndexFunc(stay, func(f filename.Name) bool { return f.String() == filepath.Base(name) })
		if i < 0 {
			return gen.Refuse("missing", "%s: no migration %s", p.Dir, filepath.Base(name))
		}
		moving = append(moving, stay[i])
		stay = slices.Delete(stay, i, i+1)
	}
	slices.SortStableFunc(moving, byVersion)
	return p.moveAfter(last(stay), moving)
}

// moveSide plans to move the migrations of one side, if those of the other are in the
// way.
func (p *Plan) moveSide(ctx context.Context, files []filename.Name, opts Options) error {
	stays, main, err := findSides(ctx, p.Dir, opts.Onto)
	if err != nil {
		return err
	}
	p.Stays = stays
	if p.Stays == "" {
		return p.unambiguous(files)
	}
	both, err := addedByBoth(ctx, p.Dir)
	if err != nil {
		return err
	}
	stay, own, err := p.sides(ctx, files, both)
	if err == nil && stays == main && p.unambiguous(own) != nil {
		p.Stays = "HEAD" // what is not committed moves
		stay, own, err = p.sides(ctx, files, both)
	}
	if err != nil {
		return err
	}
	if err := cmp.Or(p.unambiguous(stay), p.unambiguous(own)); err != nil || len(own) == 0 {
		return err
	}
	after := last(stay)
	if v := own[0].Version; v > after && (opts.Gaps || v == after+1) {
		late, err := late(ctx, p.Dir, p.Stays, stay, own)
		if err != nil || !late || !opts.Gaps {
			return err // they come after the others already
		}
		after = last(own) // databases that ran these would never run the others
	}
	if err := p.moveAfter(after, own); err != nil {
		return err
	}
	for i := range p.Moves {
		m := &p.Moves[i]
		m.both = slices.Contains(both, m.from)
		if !m.both && main != "" && git.HasFile(ctx, p.Dir, main, m.From) {
			return gen.Refuse("ambiguous", "%s: is in %s, whose migrations never move, but not in %s\n\t%s",
				filepath.Join(p.Dir, m.From), main, p.Stays, wording.CommandLine("lockstep", "renumber", "--migrations", p.Dir, "--onto", main))
		}
	}
	return nil
}

// sides returns the migrations of the side that stays, and the others.
func (p *Plan) sides(ctx context.Context, files, both []filename.Name) (stay, own []filename.Name, err error) {
	names, err := git.Names(ctx, p.Dir, "ls-tree", "-z", "--name-only", p.Stays)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.Dir, err)
	}
	own = slices.Clone(both)
	for _, f := range files {
		if slices.Contains(names, f.String()) {
			stay = append(stay, f)
		} else {
			own = append(own, f)
		}
	}
	slices.SortStableFunc(own, byVersion)
	return stay, own, nil
}

// unambiguous returns an error if two of the files have the same number.
func (p *Plan) unambiguous(files []filename.Name) error {
	for _, f := range files {
		var same []string
		for _, g := range files {
			if g.Version == f.Version {
				same = append(same, g.String())
			}
		}
		if len(same) > 1 {
			generated, _ := os.ReadFile(filepath.Join(p.Dir, genfile.Name))
			move := same[len(same)-1]
			for _, name := range same {
				if !bytes.Contains(generated, []byte(`"`+name+`"`)) { // what is recorded could not move
					move = name
				}
			}
			return gen.Refuse("ambiguous", "%s: %s have the same number, and %s does not tell which of them moves\n\t%s",
				p.Dir, strings.Join(same, " and "), cmp.Or(p.Stays, "git"),
				wording.CommandLine("lockstep", "renumber", "--migrations", p.Dir, "--move", move))
		}
	}
	return nil
}

// moveAfter plans to give migrations the numbers after one.
func (p *Plan) moveAfter(next lockstep.Version, moving []filename.Name) error {
	for _, from := range moving {
		next++
		if next > 9999 {
			return gen.Refuse("missing", "%s: no number is left for %v", p.Dir, from)
		}
		if to := (filename.Name{Version: next, Description: from.Description, Ext: from.Ext}); to != from {
			p.Moves = append(p.Moves, Move{From: from.String(), To: to.String(), from: from, to: to})
		}
	}
	p.Version = next
	return nil
}

// rename plans the changes to Go code: the functions of Go migrations get the numbers of
// their files, and pins the numbers of their migrations.
func (p *Plan) rename(ctx context.Context, files []filename.Name) error {
	name, _ := gen.PackageName(p.Dir)
	pkg, module, err := genfile.FindPackage(p.Dir, name)
	if err != nil || module == nil {
		return err
	}
	pins := map[string]string{}
	for _, m := range p.Moves {
		if !m.both { // else it may be the other side's
			pins[genfile.PinName(m.from)] = genfile.PinName(m.to)
		}
	}
	functions := p.functions(ctx, files)
	return module.GoFiles(ctx, func(path string, text []byte) {
		var names map[string]string
		if dir, name := filepath.Split(path); filepath.Clean(dir) == pkg.Dir {
			if name == genfile.Name {
				return
			}
			names = functions(name)
		}
		now := text
		if e, ok := p.edits[path]; ok {
			now = e.new
		}
		resolved, line := genfile.Resolve(now, pins)
		if line > 0 {
			for _, n := range []map[string]string{pins, names} {
				for _, old := range slices.Sorted(maps.Keys(n)) {
					if bytes.Contains(text, []byte(old)) {
						p.Conflicts = append(p.Conflicts, gen.Problem{File: path, Line: line, Fact: "in conflict; resolve it, and write " + n[old] + " for " + old})
					}
				}
			}
			return
		}
		edits := pkg.Rename(path, resolved, names, pins)
		if len(edits) > 0 {
			p.edits[path] = edit{text, genfile.Apply(resolved, edits)}
		}
		for _, e := range edits {
			p.Names = append(p.Names, Name{path, e.At.Line, e.Old, e.New})
		}
	})
}

// functions returns a function that says which functions of Go migrations get which
// names in a file of the package. In the other side's files, a name means the other
// side's function, if it still has one of that name.
func (p *Plan) functions(ctx context.Context, files []filename.Name) func(file string) map[string]string {
	all := map[string]string{}
	moves := map[string]Move{}
	for _, m := range p.Moves {
		moves[m.From] = m
		if m.from.Ext == ".go" {
			all[genfile.FuncName(m.from.Version)] = genfile.FuncName(m.to.Version)
		}
	}
	free := maps.Clone(all)
	for _, f := range files {
		if m, moving := moves[f.String()]; !moving || m.both {
			delete(free, genfile.FuncName(f.Version))
		}
	}
	return func(file string) map[string]string {
		name, err := filename.Parse(file)
		m, moving := moves[file]
		switch {
		case moving && !m.both:
			from := genfile.FuncName(name.Version)
			return map[string]string{from: all[from]}
		case err == nil:
			return nil // it stays, or Apply writes both
		case p.Stays != "" && git.HasFile(ctx, p.Dir, p.Stays, file):
			return free
		}
		return all
	}
}
