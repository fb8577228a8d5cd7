package rows

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A variant is what a row is like.
type variant int

const (
	full   variant = iota // everything is set; if it is less, by that number, it refers to that row of its parents
	nulls                 // NULL wherever it is allowed
	even                  // NULL in every other column where it is allowed
	uneven                // NULL in those that even sets
	twin                  // like the first row
	upper                 // like the first row, in upper case
	blank                 // like the first row, with a trailing blank in texts
	zero                  // like the first row, with empty texts and zeros
	other                 // like the first row, with the other truth values, and without what may be missing, such as a date
	again                 // like the row before
	bare                  // like the row before, without what may be missing, such as a date
	odd                   // everything is set, to values of types that nobody writes
	bytes                 // everything is set, and texts are bytes
	near                  // everything is set, to the first of the values near where that fits; to the others in those after it

	alike variant = 1000 // everything is set, and the first column is that of the first row; in the next variant all but that; then so on for each column

	changed variant = 2000 // like the first row, but for the first of its changes; then so on for each of them
)

// A change is that of a column of the first row.
type change struct {
	*column
	to func(first string) string
}

// fillOrdinary fills a table that is not virtual. It returns why it is empty, or "".
func (f *filler) fillOrdinary(t *table) (reason string, err error) {
	for _, p := range f.promised[t] {
		if _, err := f.addRow(t, full, p); err != nil {
			return "", err
		}
	}
	variants, err := f.variants(t)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(variants); i++ {
		v, turn := variants[i], t.turn
		refused, err := f.addRow(t, v, nil)
		if err != nil {
			return "", err
		}
		if t.made == 0 {
			return refused, nil
		}
		if v == twin && t.turn > turn && t.turn < t.wide { // one that differs in another column of a key
			i--
		}
	}
	if !t.counts {
		return "", nil
	}
	if refused, err := f.addRow(t, full, nil); refused != "" || err != nil {
		return "", err
	}
	table, id := sqltext.Plain(t.name), sqltext.Plain(t.rowid)
	return "", f.insert(t, nil, fmt.Sprintf("DELETE FROM %s WHERE %s = (SELECT max(%s) FROM %s)", table, id, id, table))
}

// variants returns what the rows of a table are to be like.
func (f *filler) variants(t *table) ([]variant, error) {
	const most = 20
	variants := []variant{full, full, twin, upper, blank, zero}
	switch {
	case t.nullable > 1:
		variants = slices.Insert(variants, 2, nulls, even, uneven)
	case t.nullable > 0:
		variants = slices.Insert(variants, 2, nulls)
	}
	if slices.ContainsFunc(t.columns, func(c *column) bool { return !c.free && c.key == nil && (c.nullable || c.isSwitch()) }) {
		variants = append(variants, other, other) // WHERE deleted_at IS NULL, WHERE active
	}
	switch {
	case f.Odd:
		variants = []variant{odd}
	case f.Bytes:
		variants = []variant{bytes}
	case f.Zero:
		variants = []variant{full, zero}
	case f.Near != nil:
		if !f.All {
			f.n = f.From
			variants = []variant{full, full}
		}
		for i, value := range f.Near {
			if slices.ContainsFunc(t.columns, func(c *column) bool { return t.takes(c, value) }) {
				if variants = append(variants, near+variant(i)); value == "NULL" {
					variants = append(variants, again, nulls, again) // WHERE until IS NULL
				} else if i < f.Twice {
					variants = append(variants, again, bare, again) // WHERE status = 'new' AND deleted_at IS NULL
				}
			}
		}
	}
	rows := 0 // of parents: where none refers to a row, its DELETE harms nobody
	for _, k := range t.keys {
		parent := f.tables[sqltext.Fold(k.parent)]
		switch {
		case f.Odd || f.Bytes:
		case parent == t:
			rows = max(rows, min(most, len(variants)))
		case parent != nil:
			rows = max(rows, min(most, parent.made))
		}
	}
	for i := 1; i < rows; i++ {
		variants = append(variants, variant(-i))
	}
	if f.Near != nil {
		for i := range t.columns[:min(most, len(t.columns))] {
			variants = append(variants, alike+variant(2*i), alike+variant(2*i+1))
		}
		if err := f.readChanges(t); err != nil {
			return nil, err
		}
		for i := range t.changes[:min(3*most, len(t.changes))] {
			variants = append(variants, changed+variant(i))
		}
	}
	return variants, nil
}

// A row is one that is being made.
type row struct {
	*table
	variant
	values []string // as SQL
	chosen []int    // the candidates of the values
	pinned []bool
	picks  map[*key]int // of the rows that it could refer to; ^n is none, or n if it has to be one
	turned bool         // another column of a key was changed than in the twin before
	refers string       // the parent of a foreign key that fits none of them, or ""
}

// addRow adds a row in which some columns have given values. It returns what SQLite says
// if it refuses all that were tried.
func (f *filler) addRow(t *table, v variant, pinned map[string]string) (refused string, err error) {
	limit := 150
	if t.made == 0 {
		limit = 1000
	}
	const restart = 100 // INSERTs
	var r *row
	for i := range limit {
		if i%restart == 0 {
			if r, err = f.begin(t, v, pinned); err != nil {
				return "", err
			}
		}
		if r.refers != "" {
			refused = "no row of " + r.refers + " to refer to"
			r.picks[r.keys[r.random.IntN(len(r.keys))]] = r.random.IntN(20)
			f.refer(r)
			continue
		}
		err := f.insert(t, r, r.statement())
		if err == nil {
			f.keep(r)
			return "", nil
		}
		if refused, err = f.refusal(err); err != nil {
			return "", err
		}
		f.change(r, refused)
	}
	return refused, nil
}

// keep notes a row that SQLite has taken.
func (f *filler) keep(r *row) {
	if r.made == 0 {
		r.first = r.values
		for i, c := range r.columns {
			c.chosen = r.chosen[i]
		}
	}
	r.last = r.values
	r.made++
	for _, k := range r.keys {
		if k.pending == nil {
			continue
		}
		promise := map[string]string{}
		for i, name := range k.from {
			promise[sqltext.Fold(k.to[i])] = r.values[r.index(name)]
		}
		same := func(other map[string]string) bool { return fmt.Sprint(other) == fmt.Sprint(promise) }
		if !strings.Contains(fmt.Sprint(promise), "NULL") && !slices.ContainsFunc(f.promised[k.pending], same) {
			f.promised[k.pending] = append(f.promised[k.pending], promise)
		}
	}
}

// begin returns a row of the variant to begin the search with.
func (f *filler) begin(t *table, v variant, pinned map[string]string) (r *row, err error) {
	r = &row{table: t, variant: v, picks: map[*key]int{}, values: make([]string, len(t.columns)), chosen: make([]int, len(t.columns)), pinned: make([]bool, len(t.columns))}
	for i, c := range t.columns {
		value, ok := pinned[sqltext.Fold(c.name)]
		switch {
		case ok:
			r.values[i], r.pinned[i] = value, true
		case c.nullable && (v == nulls || v == even && c.nth%2 == 0 || v == uneven && c.nth%2 == 1):
			r.values[i] = "NULL"
		case v >= odd:
			f.choose(r, i, c.chosen)
			r.values[i] = f.vary(r, c, r.values[i])
		case v == again, v == bare:
			r.values[i], r.chosen[i] = f.vary(r, c, t.last[i]), c.chosen
		case v > uneven:
			r.values[i], r.chosen[i] = f.vary(r, c, t.first[i]), c.chosen
		default:
			f.choose(r, i, c.chosen)
		}
	}
	for i, k := range t.keys {
		if err := f.readTuples(t, k); err != nil {
			return nil, err
		}
		const ofNulls = 2 // the row of the parent that is like that
		own := sqltext.Equal(k.parent, t.name)
		switch r.picks[k] = t.made; {
		case v < full:
			r.picks[k] = int(-v) + i // for each key another, or what refers by only one of them is hidden
		case v >= alike:
			r.picks[k] = 1
			if slices.ContainsFunc(t.columns, func(c *column) bool { return c.key == k && r.isAlike(c) }) {
				r.picks[k] = 0
			}
		case v == nulls:
			r.picks[k] = ^t.made // that one if it has to be one
		case v == full && t.made == 1 && !own, v == zero && own:
			r.picks[k] = ofNulls
		case v == zero:
			r.picks[k] = 0
		}
	}
	if v <= uneven || v == zero || v >= odd { // others have those of the first row
		f.refer(r)
	}
	return r, nil
}

// vary returns a value of a row as the variant has it.
func (f *filler) vary(r *row, c *column, value string) string {
	v, text := r.variant, strings.HasPrefix(value, "'")
	switch {
	case c.key != nil || sqltext.Equal(c.name, r.rowid) || value == "NULL":
	case v >= alike:
		first := r.first[slices.Index(r.columns, c)]
		switch {
		case r.isAlike(c):
			return first
		case v >= changed:
			return r.changes[v-changed].to(first)
		}
	case v >= near && r.takes(c, f.Near[v-near]):
		return f.Near[v-near]
	case v == bytes && text && c.affinity() == "TEXT":
		return fmt.Sprintf("x'%x'", sqltext.Unquote(value))
	case v >= bytes, v == odd && (r.strict || c.affinity() == "TEXT" && !c.holdsJSON()):
	case v == odd && c.affinity() == "TEXT": // as a program has it that writes bytes
		return fmt.Sprintf("x'%x'", fmt.Sprintf(`{"n":%d}`, f.n))
	case v == odd && c.kind != "" && !strings.HasPrefix(value, "x"):
		return literal(fmt.Sprint("odd ", f.n))
	case v == other && c.isSwitch() && value == "0":
		return "1"
	case v == other && c.isSwitch() && value == "1":
		return "0"
	case v == upper && text:
		return strings.ToUpper(value)
	case (v == other || v == bare) && !c.free && c.nullable:
		return "NULL"
	case !c.free && !f.Zero:
	case v == blank && text:
		return value[:len(value)-1] + " '"
	case v == zero && text:
		return "''"
	case v == zero:
		return "0"
	}
	return value
}

// isAlike reports whether the column is to be that of the first row.
func (r *row) isAlike(c *column) bool {
	if r.variant >= changed {
		return r.changes[r.variant-changed].column != c
	}
	v := int(r.variant - alike)
	return (slices.Index(r.columns, c) == v/2) == (v%2 == 0)
}

// readChanges finds what of the first row a migration may make equal to that row again: the case of a text and
// blanks after it, and, in a key of several columns, the values near or the next number.
func (f *filler) readChanges(t *table) error {
	const q = `SELECT lower(i.name) FROM pragma_index_list('$1') AS l JOIN pragma_index_info(l.name) AS i
WHERE l."unique" AND (SELECT count(*) FROM pragma_index_info(l.name)) > 1`
	keys, err := f.query(1, sqltext.Fill(q, t.name))
	inKey := slices.Concat(keys...)
	text := func(to func(text string) string) func(string) string {
		return func(first string) string {
			if strings.HasPrefix(first, "'") {
				return to(first)
			}
			return first
		}
	}
	t.changes = nil
	for _, c := range t.columns {
		if f.Case && c.free {
			t.changes = append(t.changes, change{c, text(strings.ToUpper)}, change{c, text(func(s string) string { return s[:len(s)-1] + " '" })})
		}
		if !slices.Contains(inKey, sqltext.Fold(c.name)) || !c.free {
			continue
		}
		for _, value := range f.Near {
			if t.takes(c, value) {
				t.changes = append(t.changes, change{c, func(string) string { return value }})
			}
		}
		if c.affinity() == "INTEGER" {
			t.changes = append(t.changes, change{c, func(first string) string {
				if n, err := strconv.Atoi(first); err == nil {
					return strconv.Itoa(n + 1)
				}
				return first
			}})
		}
	}
	return err
}

// takes reports whether a program may have written that value into the column.
func (t *table) takes(c *column, value string) bool {
	if value == "NULL" {
		return c.nullable && c.key == nil
	}
	return c.free && c.key == nil && !sqltext.Equal(c.name, t.rowid) && c.fits(value)
}

// choose gives column i a new value of a candidate.
func (f *filler) choose(r *row, i, candidate int) {
	f.n++
	r.chosen[i] = candidate
	r.values[i] = r.columns[i].candidates[candidate](f.n)
}

// index returns the number of the column of that name.
func (t *table) index(name string) int {
	return slices.IndexFunc(t.columns, func(c *column) bool { return sqltext.Equal(c.name, name) })
}

// statement returns the INSERT.
func (r *row) statement() string {
	if len(r.columns) == 0 { // all are generated
		return "INSERT INTO " + sqltext.Plain(r.name) + " DEFAULT VALUES"
	}
	if r.into == "" {
		names := make([]string, len(r.columns))
		for i, c := range r.columns {
			names[i] = sqltext.Plain(c.name)
		}
		r.into = fmt.Sprintf("INSERT INTO %s (%s) VALUES ", sqltext.Plain(r.name), strings.Join(names, ", "))
	}
	return r.into + "(" + strings.Join(r.values, ", ") + ")"
}

// readTuples reads to what rows a foreign key can refer.
func (f *filler) readTuples(t *table, k *key) error {
	parent := f.tables[sqltext.Fold(k.parent)]
	if k.tuples != nil && parent != t {
		return nil
	}
	k.tuples, k.pending = nil, nil
	if len(k.to) != len(k.from) {
		return nil
	}
	var quoted, set []string
	for _, name := range k.to {
		quoted = append(quoted, "quote("+sqltext.Quote(name)+")")
		set = append(set, sqltext.Quote(name)+" IS NOT NULL")
	}
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(quoted, ", "), sqltext.Quote(k.parent), strings.Join(set, " AND "))
	found, err := f.query(len(quoted), query+" ORDER BY rowid LIMIT 20")
	if err != nil { // WITHOUT ROWID
		found, err = f.query(len(quoted), query+" LIMIT 20")
	}
	if err != nil {
		return f.ctx.Err() // such as a parent that does not exist
	}
	if k.tuples = found; len(found) == 0 && parent != nil && parent != t && parent.empty == "" {
		if done, begun := f.done[parent]; begun && !done {
			k.pending = parent
		}
	}
	return nil
}

// refer makes the foreign keys of the row refer to the rows that were picked, or to others
// that fit. What a foreign key of more columns has set stays.
func (f *filler) refer(r *row) {
	given := slices.Clone(r.pinned)
	r.refers = ""
	for _, k := range r.keys {
		if !f.referTo(r, k, given) {
			r.refers = k.parent
			return
		}
	}
}

// referTo makes one foreign key refer to a row, or to none. It returns false if it cannot.
func (f *filler) referTo(r *row, k *key, given []bool) bool {
	at := make([]int, len(k.from))
	for i, name := range k.from {
		if at[i] = r.index(name); at[i] < 0 { // generated
			return true
		}
	}
	free := slices.IndexFunc(at, func(i int) bool { return !given[i] && r.columns[i].nullable })
	none := slices.ContainsFunc(at, func(i int) bool { return given[i] && r.values[i] == "NULL" })
	var fits [][]string
	for _, tuple := range k.tuples {
		fit := true
		for i := range at {
			fit = fit && (!given[at[i]] || r.values[at[i]] == tuple[i])
		}
		if fit {
			fits = append(fits, tuple)
		}
	}
	var tuple []string
	switch {
	case none:
		return true
	case len(fits) > 0 && (r.picks[k] >= 0 || free < 0):
		tuple = fits[max(^r.picks[k], r.picks[k])%len(fits)]
	case free >= 0:
		for _, i := range at {
			if !given[i] && r.columns[i].nullable {
				r.values[i], given[i] = "NULL", true
			}
		}
		return true
	case len(k.to) != len(k.from):
		return false
	case sqltext.Equal(k.parent, r.name): // to itself
		for i, name := range k.to {
			own := r.index(name)
			// SQLite compares a row with itself without affinity.
			if own < 0 || r.columns[own].affinity() != r.columns[at[i]].affinity() {
				return false
			}
			tuple = append(tuple, r.values[own])
		}
	case k.pending != nil:
		for _, name := range k.to {
			c := k.pending.column(name)
			if c == nil {
				return false
			}
			f.n++
			tuple = append(tuple, c.candidates[0](f.n))
		}
	default:
		return false
	}
	for i := range at {
		if !given[at[i]] {
			r.values[at[i]], given[at[i]] = tuple[i], true
		}
	}
	return true
}

// change gives another value to one of the columns of which SQLite complains.
func (f *filler) change(r *row, sentence string) {
	involved := f.involved(r.table, sentence)
	involved = slices.DeleteFunc(involved, func(i int) bool { return r.pinned[i] })
	if len(involved) == 0 {
		return
	}
	differ := strings.HasPrefix(sentence, "UNIQUE")
	free := slices.DeleteFunc(slices.Clone(involved), func(i int) bool { return r.columns[i].key != nil })
	if r.variant >= changed && len(free) > 1 {
		free = slices.DeleteFunc(free, func(i int) bool { return r.columns[i] == r.changes[r.variant-changed].column })
	}
	switch {
	case differ && (r.variant == again || r.variant >= changed) && len(free) > 0:
		involved = free // of the same parent
	case differ && r.variant == bare && len(free) < len(involved):
		involved = slices.DeleteFunc(involved, func(i int) bool { return slices.Contains(free, i) }) // of another
	}
	i := involved[r.random.IntN(len(involved))]
	if differ && r.variant == twin && !r.turned && len(free) > 1 {
		i, r.turned = free[r.turn%len(free)], true
		r.turn, r.wide = r.turn+1, len(free)
	}
	c := r.columns[i]
	switch {
	case c.key != nil:
		for _, k := range r.keys {
			if slices.ContainsFunc(k.from, func(name string) bool { return sqltext.Equal(name, c.name) }) {
				r.picks[k] = r.random.IntN(20) - 3
			}
		}
		f.refer(r)
	case r.variant > full && !differ && r.first != nil && r.values[i] != r.first[i]:
		r.values[i], r.chosen[i] = r.first[i], c.chosen
	case differ && r.random.IntN(4) > 0:
		f.choose(r, i, r.chosen[i])
	default:
		f.choose(r, i, r.random.IntN(len(c.candidates)))
	}
	if c.key == nil && slices.ContainsFunc(r.keys, func(k *key) bool { return sqltext.Equal(k.parent, r.name) && len(k.tuples) == 0 }) {
		f.refer(r) // to itself, which has another key now
	}
}

// involved returns the columns that SQLite's sentence is about. If that cannot be told, they
// are those that have to do with an expression, or all.
func (f *filler) involved(t *table, sentence string) (involved []int) {
	kind, rest, _ := strings.Cut(sentence, ": ")
	names := map[string]bool{}
	add := func(more map[string]bool) { maps.Copy(names, more) }
	switch {
	case strings.HasPrefix(kind, "CHECK"):
		add(namesIn(sqltext.FindCheck(t.SQL, rest)))
	case strings.HasPrefix(rest, "index '"):
		for _, o := range f.More.Objects {
			if o.Type == "index" && rest == "index '"+o.Name+"'" {
				add(namesIn(o.SQL))
			}
		}
	default: // NOT NULL and UNIQUE name columns, and so does a STRICT table
		about := func(column string) bool {
			return strings.Contains(sqltext.Fold(sentence)+",", "."+sqltext.Fold(column)+",")
		}
		for _, c := range t.columns {
			names[sqltext.Fold(c.name)] = about(c.name)
		}
		for _, p := range t.parts {
			if p.name != "" && about(p.name) {
				add(p.names)
			}
		}
	}
	for try := range 3 {
		for _, p := range t.parts {
			if try == 1 {
				add(p.names)
			}
		}
		for i, c := range t.columns {
			if names[sqltext.Fold(c.name)] || try == 2 {
				involved = append(involved, i)
			}
		}
		if len(involved) > 0 {
			break
		}
	}
	return involved
}

// namesIn returns the names in SQL, in lower case.
func namesIn(query string) map[string]bool {
	return newPart(query, "", false).names
}
