package sqlcheck

import (
	"go/token"
	"sort"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// A place is a position in this package or, if a fact brought it, in another.
type place struct {
	pos token.Pos // in this package

	File         string
	Line, Column int
}

// resolve returns the place as a position of the pass. A line of another package
// gets a file of its own in the file set, made of empty lines, so that the
// diagnostic is where the SQL is, not where it was found to be wrong.
func (p place) resolve(pass *analysis.Pass) token.Pos {
	if p.pos.IsValid() || p.File == "" {
		return p.pos
	}
	f := pass.Fset.AddFile(p.File, -1, p.Line+p.Column)
	lines := make([]int, p.Line)
	for i := range lines {
		lines[i] = i
	}
	f.SetLines(lines)
	return f.Pos(p.Line - 1 + p.Column - 1)
}

// A text is a string of the program.
type text struct {
	SQL    string
	Pieces []piece // in order
	Holes  []int   // offsets in SQL of parts that are known at run time only
	Loose  bool    // it may have other parameters when it is run

	Built bool      // by a builder
	Args  int       // that it has for it
	Odd   []finding // where it has another number of them than of parameters, unless something else makes up for it
}

// A piece says where a part of a text is. If it is verbatim, the text up to the next
// piece is there byte for byte, on one line.
type piece struct {
	At       int // offset in the text
	Place    place
	Verbatim bool
}

// lined returns a text whose lines are verbatim at the places that at returns for
// their numbers, from 0, and offsets.
func lined(sql string, at func(line, offset int) place) []text {
	t := text{SQL: sql}
	for line, offset := 0, 0; ; line++ {
		t.Pieces = append(t.Pieces, piece{offset, at(line, offset), true})
		n := strings.IndexByte(sql[offset:], '\n') + 1
		if n == 0 {
			return []text{t}
		}
		offset += n
	}
}

// from returns the last piece that begins at or before the offset, as if it began there.
func (t *text) from(offset int) piece {
	i := sort.Search(len(t.Pieces), func(i int) bool { return t.Pieces[i].At > offset }) - 1
	if i < 0 {
		return piece{At: offset}
	}
	p := t.Pieces[i]
	if p.Verbatim {
		p.Place.Column += offset - p.At
		if p.Place.pos.IsValid() {
			p.Place.pos += token.Pos(offset - p.At)
		}
	}
	p.At = offset
	return p
}

// place returns where the byte at the offset is.
func (t *text) place(offset int) place { return t.from(offset).Place }

// has reports whether the place is in the text.
func (t *text) has(at place) bool {
	for i := range len(t.SQL) + 1 {
		if t.place(i) == at {
			return true
		}
	}
	return false
}

// add appends another text.
func (t *text) add(other text) {
	for _, p := range other.Pieces {
		p.At += len(t.SQL)
		t.Pieces = append(t.Pieces, p)
	}
	for _, h := range other.Holes {
		t.Holes = append(t.Holes, h+len(t.SQL))
	}
	t.SQL += other.SQL
	t.Loose = t.Loose || other.Loose
	t.Built = t.Built || other.Built
	t.Args += other.Args
	t.Odd = append(t.Odd, other.Odd...)
}

// slice returns a part of a text without holes.
func (t *text) slice(from, to int) text {
	part := text{SQL: t.SQL[from:to], Pieces: []piece{t.from(from)}, Loose: t.Loose}
	for _, p := range t.Pieces {
		if from < p.At && p.At < to {
			part.Pieces = append(part.Pieces, p)
		}
	}
	for i := range part.Pieces {
		part.Pieces[i].At -= from
	}
	return part
}
