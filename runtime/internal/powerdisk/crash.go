package powerdisk

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Crash is a loss of power, and what is on the disk afterwards.
type Crash struct {
	When  string   // to find it again
	Said  []string // what was marked before
	Files Tree
}

// A Tree is what a folder holds: the content of each file by its relative path. The path of
// a folder ends in a slash.
type Tree map[string][]byte

// WriteTo makes the files in an empty folder.
func (t Tree) WriteTo(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(t)) { // folders come before what is in them
		path, err := filepath.Join(dir, name), error(nil)
		if strings.HasSuffix(name, "/") {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, t[name], 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Sampling says which of all crashes to try.
type Sampling struct {
	Seed  uint64
	Draws int // at each point, besides the four that are not drawn
	Every int // also at each so many operations that are no syncs; 0 for at syncs alone
}

// Tried counts crashes.
type Tried struct {
	Points   int // moments at which the machine died
	Crashes  int // at these, each with its own draw of what survives
	Distinct int // of those, different in what was left
}

// Crashes yields the crashes that leave something different, and counts all. The machine dies
// before and after each sync, at each mark and at the end, and at other moments.
func (l *Log) Crashes(s Sampling, tried *Tried) iter.Seq[Crash] {
	return func(yield func(Crash) bool) {
		d := l.start.clone()
		seen := map[[sha256.Size]byte]bool{}
		var said []string
		for i := 0; i <= len(l.ops); i++ {
			if l.dies(i, s) {
				tried.Points++
				for draw := range 4 + s.Draws {
					files := d.clone().survive(newLuck(s.Seed, i, draw))
					tried.Crashes++
					if sum := files.digest(said); !seen[sum] {
						seen[sum] = true
						tried.Distinct++
						when := fmt.Sprintf("power is lost before operation %d, seed %d, draw %d", i, s.Seed, draw)
						if i < len(l.ops) {
							when += " (" + l.ops[i].String() + ")"
						}
						if !yield(Crash{when, said, files}) {
							return
						}
					}
				}
			}
			if i < len(l.ops) {
				if op := l.ops[i]; op.Kind == Mark {
					said = append(slices.Clip(said), op.Path)
				} else {
					d.do(op)
				}
			}
		}
	}
}

// dies reports whether the machine dies before operation i.
func (l *Log) dies(i int, s Sampling) bool {
	if i == len(l.ops) {
		return true
	}
	is := func(i int) bool {
		return i >= 0 && (l.ops[i].Kind == Sync || l.ops[i].Kind == SyncFolder || l.ops[i].Kind == Mark)
	}
	return is(i) || is(i-1) || s.Every > 0 && i%s.Every == 0
}

func (t Tree) digest(said []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(h, "%q %d\n", name, len(t[name]))
		h.Write(t[name])
	}
	fmt.Fprint(h, said)
	return [sha256.Size]byte(h.Sum(nil))
}

// luck draws what survives.
type luck struct {
	*rand.Rand
	names, data float64 // how likely they survive
	junk        bool    // in what was lost of a file that has grown
}

func newLuck(seed uint64, point, draw int) luck {
	l := luck{Rand: rand.New(rand.NewPCG(seed, uint64(point)<<20|uint64(draw)))}
	switch draw {
	case 0: // nothing survives
	case 1:
		l.names, l.data = 1, 1
	case 2:
		l.names = 1
	case 3:
		l.data = 1
	default:
		l.junk = l.IntN(2) == 0
		odds := []float64{0.1, 0.5, 0.9, 1}
		l.names, l.data = odds[l.IntN(4)], odds[l.IntN(3)]
	}
	return l
}

func (l luck) keeps(odds float64) bool { return odds == 1 || odds > 0 && l.Float64() < odds }

// A disk is what is on the disk, and what is not there yet.
type disk struct {
	files   map[int][]byte
	own     map[int]bool // of files: they can be changed in place
	dirs    map[int]map[string]int
	pending []Op
}

func (d *disk) clone() *disk {
	d.own = nil
	c := &disk{files: maps.Clone(d.files), dirs: map[int]map[string]int{}, pending: slices.Clone(d.pending)}
	for node, names := range d.dirs {
		c.dirs[node] = maps.Clone(names)
	}
	return c
}

// do does an operation. A sync has what is pending take effect.
func (d *disk) do(op Op) {
	if op.Kind != Sync && op.Kind != SyncFolder {
		d.pending = append(d.pending, op)
		return
	}
	var rest []Op
	for _, p := range d.pending {
		switch isName := p.Kind != Write && p.Kind != Truncate; {
		case op.Kind == Sync && !isName && p.node == op.node:
			d.change(p, luck{data: 1})
		case op.Kind == SyncFolder && isName && (p.at.dir == op.node || p.from.dir == op.node):
			d.name(p)
		default:
			rest = append(rest, p)
		}
	}
	d.pending = rest
}

// survive returns what is left.
func (d *disk) survive(l luck) Tree {
	for _, p := range d.pending {
		if p.Kind == Write || p.Kind == Truncate {
			d.change(p, l)
		} else if l.keeps(l.names) {
			d.name(p)
		}
	}
	t := Tree{}
	d.walk(t, 1, "")
	return t
}

// walk adds what is in a folder.
func (d *disk) walk(t Tree, dir int, prefix string) {
	for name, node := range d.dirs[dir] {
		if _, isFolder := d.dirs[node]; isFolder {
			t[prefix+name+"/"] = nil
			d.walk(t, node, prefix+name+"/")
		} else {
			t[prefix+name] = d.files[node]
		}
	}
}

// name gives a name, or takes one.
func (d *disk) name(op Op) {
	if op.Kind == Rename {
		delete(d.dirs[op.from.dir], op.from.name)
	}
	names := d.dirs[op.at.dir]
	if names == nil { // the folder was lost
		return
	}
	if op.Kind == Remove {
		delete(names, op.at.name)
		return
	}
	if op.folder && d.dirs[op.node] == nil {
		d.dirs[op.node] = map[string]int{}
	}
	names[op.at.name] = op.node
}

const sector = 512

// change writes those sectors to a file that survive, or gives it another size.
func (d *disk) change(op Op, l luck) {
	content := d.files[op.node]
	if !d.own[op.node] {
		content = bytes.Clone(content)
		if d.own == nil {
			d.own = map[int]bool{}
		}
		d.own[op.node] = true
	}
	if op.Kind == Truncate && l.keeps(l.data) {
		content = append(content[:min(len(content), int(op.off))], make([]byte, max(0, int(op.off)-len(content)))...)
	}
	for from := 0; from < len(op.data); {
		off := int(op.off) + from
		piece := op.data[from:min(len(op.data), from+sector-off%sector)]
		from += len(piece)
		kept := l.keeps(l.data)
		if missing := off + len(piece) - len(content); missing > 0 && (kept || l.keeps(l.names)) {
			content = append(content, make([]byte, missing)...)
			if l.junk {
				for i := len(content) - missing; i < len(content); i++ {
					content[i] = byte(l.Uint32())
				}
			}
		}
		if kept {
			copy(content[off:], piece)
		}
	}
	d.files[op.node] = content
}
