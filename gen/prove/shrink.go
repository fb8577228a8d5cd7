package prove

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

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
	about := t.subjects(f, rows)
	if t.skip = t.others(about); t.skip != nil {
		part := *f
		_, err := t.leaveOut(&part, about)
		t.skip = nil
		if err != nil {
			return err
		}
		if shows, err := t.shows(f, part.Rows); shows || err != nil {
			return err
		}
	}
	ok, err := t.leaveOut(f, about)
	if !ok && err == nil {
		_, err = t.leaveOut(f, nil)
	}
	return err
}

// leaveOut leaves out all but rows of some tables, or of any if that is nil, each with those that it
// refers to. Of these it leaves out halves, their halves and so on. It returns false if that
// does not show the finding.
func (t *trial) leaveOut(f *Finding, tables map[string]bool) (bool, error) {
	rows, parents := f.Rows, t.parents(f.Rows)
	out := make([]bool, len(rows))
	in := func(i int) bool { return tables == nil || tables[sqltext.Fold(rows[i].Table)] }
	shows := func() (bool, error) {
		some := closed(rows, parents, func(i int) bool { return in(i) && !out[i] })
		if len(some) == len(f.Rows) {
			return true, nil
		}
		return t.shows(f, some)
	}
	if ok, err := shows(); !ok || err != nil {
		return false, err
	}
	var all []int
	for i := range rows {
		if in(i) {
			all = append(all, i)
		}
	}
	// Those that need the most others go first, from the end.
	slices.SortStableFunc(all, func(a, b int) int { return len(parents[a]) - len(parents[b]) })
	var leaveOut func(some []int) error
	leaveOut = func(some []int) error {
		for _, i := range some {
			out[i] = true
		}
		ok, err := shows()
		if ok || err != nil {
			return err
		}
		for _, i := range some {
			out[i] = false
		}
		if len(some) < 2 {
			return nil
		}
		return cmp.Or(leaveOut(some[len(some)/2:]), leaveOut(some[:len(some)/2]))
	}
	if err := leaveOut(all); err != nil {
		return true, err
	}
	for _, i := range slices.Backward(all) { // what belonged to others is alone now
		if !out[i] && !t.known {
			if err := leaveOut([]int{i}); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// closed returns some rows, and those that they refer to.
func closed(rows []Row, parents [][]int, some func(i int) bool) (in []Row) {
	is := make([]bool, len(rows))
	var add func(i int)
	add = func(i int) {
		if !is[i] {
			is[i] = true
			for _, parent := range parents[i] {
				add(parent)
			}
		}
	}
	for i := range rows {
		if some(i) {
			add(i)
		}
	}
	for i, row := range rows {
		if is[i] {
			in = append(in, row)
		}
	}
	return in
}

// parents returns to which rows each row refers.
func (t *trial) parents(rows []Row) [][]int {
	type key struct{ table, columns string }
	known := map[key]map[string]int{} // rows, by what they have in these columns
	find := func(table string, columns []string) map[string]int {
		k := key{sqltext.Fold(table), strings.Join(columns, ",")}
		if known[k] == nil {
			known[k] = map[string]int{}
			for i, row := range rows {
				if values := row.Values(columns); values != "" && sqltext.Fold(row.Table) == k.table {
					known[k][values] = i
				}
			}
		}
		return known[k]
	}
	references := map[string][]sqltext.Reference{}
	for _, o := range t.objects {
		if o.MayRefer() {
			references[sqltext.Fold(o.Name)] = sqltext.References(o, t.objects)
		}
	}
	all := make([][]int, len(rows))
	for i, row := range rows {
		for _, r := range references[sqltext.Fold(row.Table)] {
			if parent, ok := find(r.Parent, r.To)[row.Values(r.Columns)]; ok {
				all[i] = append(all[i], parent)
			}
		}
	}
	return all
}

// subjects returns the names, in lower case, of the table that the finding is about, or else of what
// its statement names.
func (t *trial) subjects(f *Finding, rows []Row) map[string]bool {
	if f.Statement < 0 || slices.ContainsFunc(rows, func(row Row) bool { return sqltext.Fold(row.Table) == f.about }) {
		return map[string]bool{f.about: true}
	}
	return t.namesIn(t.m.Statements[f.Statement].SQL)
}

// shows reports whether fewer rows show the finding, which then has them.
func (t *trial) shows(f *Finding, rows []Row) (bool, error) {
	if len(rows) == len(f.Rows) {
		return false, nil
	}
	seen, _, err := t.try(rows)
	i := at(seen, f)
	if err != nil || i < 0 {
		return false, err
	}
	whose := f.whose
	*f = seen[i]
	f.Rows, f.whose = rows, whose
	return true, nil
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
	for _, d := range t.defines {
		may[sqltext.Fold(d.Name)], may[sqltext.Fold(d.NewName)] = true, true
	}
	skip, left := make([]bool, len(t.m.Statements)), 0
	for grown := -1; grown != len(in); {
		grown, left = len(in), 0
		for i, s := range t.m.Statements {
			named := t.namesIn(s.SQL)
			if d := t.defines[i]; d.Kind == "table" && s.Keyword() == "create" && !named["select"] {
				named = map[string]bool{sqltext.Fold(d.Name): true} // whatever it refers to
			}
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

// withoutFailing returns the rows without the last of a failure, and without others of its table that
// fail in its place, or beside those that do not.
func (t *trial) withoutFailing(f *Finding, made []Row) ([]Row, error) {
	table, parents := f.Rows[len(f.Rows)-1].Table, t.parents(made)
	gone, with := make([]bool, len(made)), map[int]bool{}
	for n, i := range places(made, f.Rows) {
		with[i], gone[i] = n < len(f.Rows)-1, n == len(f.Rows)-1
	}
	t.skip = t.others(t.subjects(f, f.Rows))
	defer func() { t.skip = nil }()
	for i, row := range made {
		if !sqltext.Equal(row.Table, table) || with[i] || gone[i] {
			continue
		}
		if f.Always {
			gone[i] = true
			continue
		}
		seen, ok, err := t.try(closed(made, parents, func(j int) bool { return j == i || with[j] }))
		if err != nil {
			return nil, err
		}
		gone[i] = at(seen, f) >= 0
		with[i] = ok && !gone[i]
	}
	return t.without(made, gone)
}

// places returns where some of the rows are, which are in their order.
func places(rows, some []Row) (at []int) {
	for i, row := range rows {
		if len(at) < len(some) && row == some[len(at)] {
			at = append(at, i)
		}
	}
	return at
}

// without returns the rows but for those that are gone, those that refer to them, and a DELETE that
// would then be of a parent.
func (t *trial) without(rows []Row, gone []bool) ([]Row, error) {
	parents := t.parents(rows)
	for more := true; more; {
		more = false
		for i := range rows {
			if !gone[i] && slices.ContainsFunc(parents[i], func(j int) bool { return gone[j] }) {
				gone[i], more = true, true
			}
		}
	}
	isParent, last := map[int]bool{}, map[string]int{}
	for i := range rows {
		for _, parent := range parents[i] {
			isParent[parent] = isParent[parent] || !gone[i] && parent != i
		}
	}
	var left []Row
	for i, row := range rows {
		if made, ok := last[row.Table]; gone[i] || strings.HasPrefix(row.SQL, "DELETE") && (!ok || isParent[made]) {
			continue
		}
		left, last[row.Table] = append(left, row), i
	}
	for {
		ok, err := t.apply(left)
		if err != nil || ok {
			return left, err
		}
		orphans, err := t.findOrphans(t.objects)
		if err != nil || len(orphans) <= t.orphans {
			return left, err
		}
		before := len(left)
		for _, o := range orphans { // its key is not written as that of its parent is
			left = otherThan(left, o[0])
		}
		if len(left) == before {
			return nil, nil
		}
	}
}

// otherThan returns the rows of other tables.
func otherThan(rows []Row, table string) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return sqltext.Equal(r.Table, table) })
}
