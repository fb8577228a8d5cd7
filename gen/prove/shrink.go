package prove

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// shrink finds a smallest set of the rows that shows the finding. It first looks at the rows and
// the statements that have to do with its table alone, and then whether the whole migration
// does the same to what it has found.
func (t *trial) shrink(f *Finding, rows []Row) error {
	if f.free {
		return nil
	}
	f.Rows = rows
	t.tracks = strings.HasSuffix(f.key, " orphans")
	in := t.related(f, rows)
	if t.skip = t.others(in); t.skip != nil {
		part := *f
		shows, err := t.leaveOut(&part, in)
		t.skip = nil
		if err != nil {
			return err
		}
		if shows {
			if shows, err = t.shows(f, part.Rows); shows || err != nil {
				return err
			}
		}
	}
	_, err := t.leaveOut(f, in)
	return err
}

// leaveOut leaves out what is not in tables that are named, and then halves, their halves and so
// on, the last first: those before may be their parents. It returns false if no fewer rows show
// the finding.
func (t *trial) leaveOut(f *Finding, in map[string]bool) (bool, error) {
	all := len(f.Rows)
	fewer := slices.DeleteFunc(slices.Clone(f.Rows), func(row Row) bool { return !in[sqltext.Fold(row.Table)] })
	if shows, err := t.shows(f, fewer); err != nil || !shows && t.skip != nil && len(fewer) < all {
		return false, err
	}
	if _, err := t.shows(f, t.fewParents(f)); err != nil {
		return false, err
	}
	rows := f.Rows
	out := make([]bool, len(rows))
	var leaveOut func(from, to int) error
	leaveOut = func(from, to int) error {
		var fewer []Row
		for i, row := range rows {
			if !out[i] && (i < from || i >= to) {
				fewer = append(fewer, row)
			}
		}
		shows, err := t.shows(f, fewer)
		for i := from; shows && i < to; i++ {
			out[i] = true
		}
		if err != nil || shows || to-from < 2 {
			return err
		}
		middle := (from + to) / 2
		return cmp.Or(leaveOut(middle, to), leaveOut(from, middle))
	}
	if err := leaveOut(0, len(rows)); err != nil {
		return false, err
	}
	for i := len(f.Rows) - 1; i >= 0; i-- { // what belonged to others is alone now
		if _, err := t.shows(f, slices.Delete(slices.Clone(f.Rows), i, i+1)); err != nil {
			return false, err
		}
	}
	return len(f.Rows) < all, nil
}

// fewParents returns the rows of what the finding is about, and the first of each other table: those
// that others refer to first.
func (t *trial) fewParents(f *Finding) []Row {
	about := map[string]bool{f.about: true}
	if f.Failure && f.Statement >= 0 {
		about = t.namesIn(t.m.Statements[f.Statement].SQL)
	}
	had := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(f.Rows), func(row Row) bool {
		name := sqltext.Fold(row.Table)
		again := had[name]
		had[name] = true
		return again && !about[name]
	})
}

// shows reports whether fewer rows show the finding, which then has them.
func (t *trial) shows(f *Finding, rows []Row) (bool, error) {
	if len(rows) == len(f.Rows) {
		return false, nil
	}
	seen, ok, err := t.try(rows)
	i := slices.IndexFunc(seen, func(g Finding) bool { return g.key == f.key })
	if err != nil || !ok || i < 0 {
		return false, err
	}
	whose := f.whose
	*f = seen[i]
	f.Rows, f.whose = rows, whose
	return true, nil
}

// related returns the names, in lower case, of the table that the finding is about, or else of
// what its statement names, and of all that these may need.
func (t *trial) related(f *Finding, rows []Row) map[string]bool {
	in := map[string]bool{f.about: true}
	has := func(row Row) bool { return in[sqltext.Fold(row.Table)] }
	if !slices.ContainsFunc(rows, has) && f.Statement >= 0 {
		in = maps.Clone(t.namesIn(t.m.Statements[f.Statement].SQL))
	}
	for grown := -1; grown != len(in); {
		grown = len(in)
		for _, o := range t.objects {
			if in[sqltext.Fold(o.Name)] && (o.Type != "table" || t.refers(o) || sqlite.IsVirtual(o)) {
				maps.Copy(in, t.namesIn(o.SQL))
			}
		}
	}
	return in
}

// others returns which statements have nothing to do with the names, nor with what those define
// that have. It returns nil if these are few.
func (t *trial) others(names map[string]bool) []bool {
	in, may := map[string]bool{}, map[string]bool{}
	for _, o := range t.objects {
		if name := sqltext.Fold(o.Name); names[name] {
			in[name] = true
		}
	}
	for i := range t.m.Statements {
		d, _ := t.definition(&t.m.Statements[i])
		may[sqltext.Fold(d.Name)], may[sqltext.Fold(d.NewName)] = true, true
	}
	skip, left := make([]bool, len(t.m.Statements)), 0
	for grown := -1; grown != len(in); {
		grown, left = len(in), 0
		for i, s := range t.m.Statements {
			named := t.namesIn(s.SQL)
			if skip[i] = !intersect(named, in); skip[i] {
				continue
			}
			left++
			for name := range named {
				if may[name] {
					in[name] = true
				}
			}
		}
	}
	if left > len(skip)/2 {
		return nil
	}
	return skip
}

// try observes, without what rows have nothing to do with, and remembers. It sees nothing when
// all tries have been used.
func (t *trial) try(rows []Row) (found []Finding, ok bool, err error) {
	sum := fnv.New64()
	fmt.Fprint(sum, t.skip, t.tracks)
	for _, row := range rows {
		sum.Write([]byte(row.SQL))
	}
	was, known := t.seen[sum.Sum64()]
	if known || *t.tries == 0 {
		return was.found, was.ok, nil
	}
	*t.tries--
	t.shrinks = true
	found, ok, err = t.observe(rows)
	t.shrinks = false
	t.seen[sum.Sum64()] = seen{found, ok}
	return found, ok, err
}

// A seen is what observe has returned.
type seen struct {
	found []Finding
	ok    bool
}

// without returns the rows without one of them, and without others that would then have no
// parent.
func (t *trial) without(rows []Row, row Row) ([]Row, error) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r == row })
	orphaned := func(rows []Row) (int, map[string]bool, error) {
		tables := map[string]bool{}
		ok, err := t.apply(rows)
		if err != nil || ok {
			return 0, nil, err
		}
		orphans, err := t.findOrphans(t.objects)
		for _, o := range orphans {
			tables[o[0]] = true
		}
		return len(orphans) - t.orphans, tables, err
	}
	for {
		n, tables, err := orphaned(rows)
		if err != nil || n == 0 {
			return rows, err
		}
		before := len(rows)
		for i := len(rows) - 1; i >= 0 && n > 0; i-- {
			fewer := slices.Delete(slices.Clone(rows), i, i+1)
			if !tables[sqltext.Fold(rows[i].Table)] {
				continue
			}
			if now, _, err := orphaned(fewer); err != nil {
				return nil, err
			} else if now < n {
				rows, n = fewer, now
			}
		}
		if len(rows) == before { // they have children of their own
			for table := range tables {
				rows = otherThan(rows, table)
			}
		}
		if len(rows) == before {
			return nil, nil
		}
	}
}

// otherThan returns the rows of other tables.
func otherThan(rows []Row, table string) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return sqltext.Equal(r.Table, table) })
}
