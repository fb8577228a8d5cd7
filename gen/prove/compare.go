package prove

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A state is what is noted of the database before the migration.
type state struct {
	sequences map[string]int64    // of AUTOINCREMENT, by table
	broken    map[string]bool     // the tables and views that cannot be read, and the FTS5 tables that do not fit their content
	rows      map[string]contents // of the tables whose rowids others hold and, before a program, of all
	pages     map[string]string   // where each table begins
}

// note notes the state before the migration.
func (o *observation) note() (err error) {
	o.was = state{broken: map[string]bool{}, rows: map[string]contents{}}
	o.was.sequences = o.sequences()
	if o.m.Run != nil {
		o.was.pages = o.pages()
	}
	for _, obj := range o.objects {
		name := sqltext.Fold(obj.Name)
		if !o.concerns[name] {
			continue
		}
		if obj.Type == "table" && !sqlite.IsVirtual(obj) {
			o.tables[name] = &table{origin: name, made: -1, copied: -1, dropped: -1}
			holder, held := o.held[name]
			if o.m.Run != nil || held {
				o.was.rows[name], err = o.contents(name)
			}
			if held && holder.Type == "table" && err == nil {
				o.was.rows[sqltext.Fold(holder.Name)], err = o.contents(holder.Name)
			}
		}
		if !o.follows {
			o.was.broken[name] = o.use(obj) != nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sequences returns the highest ids that AUTOINCREMENT has given.
func (o *observation) sequences() map[string]int64 {
	all := map[string]int64{}
	rows, _ := o.query("SELECT lower(name), seq FROM sqlite_sequence") // which need not exist
	for _, row := range rows {
		all[row[0]], _ = strconv.ParseInt(row[1], 10, 64)
	}
	return all
}

// pages returns where each table begins: another place is another table.
func (o *observation) pages() map[string]string {
	pages := map[string]string{}
	rows, _ := o.query("SELECT lower(name), rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
	for _, row := range rows {
		pages[row[0]] = row[1]
	}
	return pages
}

// use reads a view or a table with a generated column, or checks an FTS5 table against its content.
//
// https://sqlite.org/fts5.html#the_integrity_check_command
func (o *observation) use(obj sqltext.Object) error {
	name := sqltext.Quote(obj.Name)
	switch {
	case obj.Type == "view", obj.Type == "table" && !sqlite.IsVirtual(obj) && o.namesIn(obj.SQL)["as"]:
		_, err := o.query("SELECT * FROM " + name)
		return err
	case isFTS5(obj):
		err := o.Conn.Exec("INSERT INTO " + name + "(" + name + ", rank) VALUES ('integrity-check', 1)")
		if _, e := o.query("SELECT * FROM " + name); err != nil && e != nil {
			return e // its content is gone
		}
		return err
	}
	return nil
}

// compare reports what the migration has done to the database.
func (o *observation) compare() (err error) {
	if o.post = o.objects; o.mayDefine() {
		if o.post, err = o.readObjects(o.ctx); err != nil {
			return err
		}
	}
	if o.m.Run != nil {
		if err := o.replacedByProgram(); err != nil {
			return err
		}
	}
	for _, obj := range o.objects {
		name := sqltext.Fold(obj.Name)
		old, now := o.gone[name], o.tables[name]
		if obj.Type != "table" || old == nil || now == nil {
			continue
		}
		if !o.shrinks {
			if lost := sqltext.Lost(obj.Name, o.objects, o.post); len(lost) > 0 {
				list := wording.List(len(lost), ", ", func(i int) string { return lost[i] })
				o.report(now.made, "constraints "+obj.Name, "%s loses %s: the table that replaces it does not have that", obj.Name, list).free = true
			}
		}
		others, err := o.compareRows(obj.Name, old, now)
		if err != nil {
			return err
		}
		// Where the rows that there are have other ids, or go, nobody asks for those of deleted rows.
		if names := o.namesIn(o.object("table", name).SQL); names["autoincrement"] && !others && o.sequences()[name] < o.was.sequences[name] {
			o.report(old.dropped, "counter "+name, "ids of deleted rows of %s will be used again: its number in sqlite_sequence was %d, and is %d; %s",
				obj.Name, o.was.sequences[name], o.sequences()[name], o.keepCounter(old, now))
		}
	}
	if !o.shrinks {
		if err := o.compareObjects(); err != nil {
			return err
		}
	}
	if err := o.useAll(); err != nil {
		return err
	}
	if err := o.compareRowids(); err != nil {
		return err
	}
	return o.compareOrphans()
}

// keepCounter says how the number of a table goes to the one that replaces it.
//
// https://sqlite.org/autoinc.html
func (o *observation) keepCounter(old, now *table) string {
	if now.made < 0 || old.dropped < now.made {
		return "copy that row of sqlite_sequence, too"
	}
	name := o.defines[old.dropped].Name // when the other is made
	for _, d := range slices.Backward(o.defines[now.made:old.dropped]) {
		if sqltext.Equal(d.NewName, name) {
			name = d.Name
		}
	}
	return fmt.Sprintf("after CREATE TABLE %s: INSERT INTO sqlite_sequence SELECT '%[1]s', seq FROM sqlite_sequence WHERE name = '%[2]s'", o.defines[now.made].Name, name)
}

// mayDefine reports whether the migration may have changed the schema.
func (o *observation) mayDefine() bool {
	return o.m.Run != nil || slices.ContainsFunc(o.defines, func(d sqltext.Definition) bool { return d.Kind != "" }) ||
		slices.ContainsFunc(o.m.Statements, func(s sqltext.Statement) bool { return s.Keyword() == "pragma" })
}

// replacedByProgram finds the tables that a program has replaced.
func (o *observation) replacedByProgram() (err error) {
	pages := o.pages()
	for name, t := range o.tables {
		if pages[name] == "" {
			delete(o.tables, name)
		} else if pages[name] != o.was.pages[name] {
			t.rows = o.was.rows[name]
			o.gone[name] = t
			o.tables[name] = &table{made: -1, copied: -1, dropped: -1}
			if o.tables[name].rows, err = o.contents(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// object returns an object that there is after the migration.
func (o *observation) object(kind, name string) sqltext.Object { return find(o.post, kind, name) }

// find returns the object of that kind and name, or the zero one.
func find(objects []sqltext.Object, kind, name string) (found sqltext.Object) {
	if i := slices.IndexFunc(objects, func(o sqltext.Object) bool { return o.Type == kind && sqltext.Equal(o.Name, name) }); i >= 0 {
		found = objects[i]
	}
	return found
}

// compareObjects reports the indexes and triggers that a table or a view had, and that what
// replaced it could have, but has not.
func (o *observation) compareObjects() error {
	lost := map[string][]string{}
	drops := func(s sqltext.Statement) bool { return s.Keyword() == "drop" }
	if o.m.Run == nil && !slices.ContainsFunc(o.m.Statements, drops) {
		return nil
	}
	for _, obj := range o.objects {
		if obj.Type != "index" && obj.Type != "trigger" || !o.replaced(obj.Table) || o.droppedByName(obj) || o.object(obj.Type, obj.Name).Name != "" {
			continue
		}
		again := false
		for _, other := range o.post {
			if other.Type == obj.Type && sqltext.Equal(other.Table, obj.Table) {
				other.Name = obj.Name
				changed, _ := sqltext.Diff([]sqltext.Object{find(o.objects, "table", obj.Table), obj}, []sqltext.Object{o.object("table", obj.Table), other})
				again = again || !slices.ContainsFunc(changed, func(d sqltext.Difference) bool { return d.Type == obj.Type })
			}
		}
		can, err := o.canMake(obj)
		if err != nil {
			return err
		}
		if can && !again {
			lost[obj.Table] = append(lost[obj.Table], obj.Type+" "+obj.Name)
		}
	}
	for table, names := range lost {
		name, kind, dropped := sqltext.Fold(table), "VIEW", -1
		if old := o.gone[name]; old != nil {
			kind, dropped = "TABLE", old.dropped
		} else {
			dropped = o.last("drop", "view", table)
		}
		o.report(dropped, "objects "+name, "DROP %s %s takes %s with it, and nothing makes %s again", kind, table,
			strings.Join(names, " and "), map[bool]string{true: "it", false: "them"}[len(names) == 1]).free = true
	}
	return nil
}

// replaced reports whether a table or a view was dropped and made again.
func (o *observation) replaced(name string) bool {
	if o.gone[sqltext.Fold(name)] != nil {
		return o.tables[sqltext.Fold(name)] != nil
	}
	return o.last("drop", "view", name) >= 0 && o.object("view", name).Name != ""
}

// last returns the last statement with the keyword, such as DROP, that is about an object, or -1.
func (o *observation) last(keyword, kind, name string) int {
	for i, d := range slices.Backward(o.defines) {
		if d.Kind == kind && sqltext.Equal(d.Name, name) && o.m.Statements[i].Keyword() == keyword {
			return i
		}
	}
	return -1
}

// droppedByName reports whether a statement drops the object and nothing else.
func (o *observation) droppedByName(obj sqltext.Object) bool {
	if o.m.Run != nil {
		return o.namesIn(o.m.Script.Text)[sqltext.Fold(obj.Name)]
	}
	return o.last("drop", obj.Type, obj.Name) >= 0
}

// canMake reports whether the object could be made after the migration, too, and would work.
func (o *observation) canMake(obj sqltext.Object) (can bool, err error) {
	err = o.rolledBack(func() error {
		if can = o.Conn.Exec(obj.SQL) == nil; can {
			_, query, err := sqlite.Trial(o.ctx, o.DB, obj)
			if err != nil {
				return err
			}
			if obj.Type == "index" {
				served, err := o.query(servedQuery, obj.Table, obj.Name, idOf(o.post, obj.Table))
				can = len(served) == 0
				return err
			}
			stmt, _, err := o.Conn.Prepare(query)
			can = err == nil
			return stmt.Close()
		}
		return nil
	})
	return can, err
}

// servedQuery returns a row if another index of the table ?1, such as that of a constraint, does
// what the index ?2 is for, or that begins with the rowid, ?3.
const servedQuery = `SELECT 1 FROM pragma_index_xinfo(?2) WHERE seqno = 0 AND lower(name) = ?3
UNION ALL SELECT 1 FROM pragma_index_list(?1) AS o JOIN pragma_index_list(?1) AS i
WHERE i.name = ?2 AND o.name <> ?2 AND o.partial + i.partial = 0 AND o."unique" >= i."unique"
AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(?2) AS x LEFT JOIN pragma_index_xinfo(o.name) AS y
	ON y.key AND y.seqno = x.seqno AND y.cid = x.cid AND y.coll = x.coll AND y.desc = x.desc
	WHERE x.key AND (x.cid < 0 OR y.cid IS NULL))
AND (NOT i."unique" OR (SELECT count(*) FROM pragma_index_info(o.name)) = (SELECT count(*) FROM pragma_index_info(?2)))`

// rolledBack calls f and undoes what it does.
func (o *observation) rolledBack(f func() error) error {
	if err := o.Conn.Exec("SAVEPOINT lockstep"); err != nil {
		return err
	}
	err := f()
	return errors.Join(err, o.Conn.Exec("ROLLBACK TO lockstep; RELEASE lockstep"))
}

// compareRowids reports the tables whose rows have other rowids, where others hold these.
func (o *observation) compareRowids() error {
	for _, obj := range o.objects {
		name := sqltext.Fold(obj.Name)
		holder, ok := o.held[name]
		if !ok || o.object("table", name).Name == "" {
			continue
		}
		was := o.was.rows[name]
		is, err := o.contents(name)
		if err != nil {
			return err
		}
		for from, to := range is.match(&was, "") {
			if rowid := was.rows[from].rowid; rowid != is.rows[to].rowid && o.holds(holder, rowid) {
				statement := -1
				if o.gone[name] != nil {
					statement = o.tables[name].copied
				}
				for i, s := range o.m.Statements {
					if s.Keyword() == "vacuum" {
						statement = i
					}
				}
				o.report(statement, "rowids "+name, "rows of %s have other rowids afterwards, and %s holds those before; give the table an INTEGER PRIMARY KEY", obj.Name, holder.Name)
				break
			}
		}
	}
	return nil
}

// holds reports whether what held a rowid before the migration does so after it. What FTS5 has
// elsewhere it checks itself.
func (o *observation) holds(holder sqltext.Object, rowid string) bool {
	if now := o.object(holder.Type, holder.Name); now.Name == "" || external(holder) {
		return false
	}
	if holder.Type == "view" {
		return true
	}
	is, err := o.contents(holder.Name)
	was := o.was.rows[sqltext.Fold(holder.Name)]
	return err == nil && slices.ContainsFunc(was.rows, func(r record) bool { return r.rowid == rowid }) &&
		slices.EqualFunc(was.rows, is.rows, func(a, b record) bool { return a.rowid == b.rowid && slices.Equal(a.cells, b.cells) })
}

// holders returns what holds the rowids of each table for which SQLite may choose others: a
// view that reads them, a full-text table that has its content there, or a virtual table into
// which a trigger writes them, or a migration has done so.
//
// https://sqlite.org/lang_vacuum.html#how_vacuum_works
func (t *trial) holders() map[string]sqltext.Object {
	all, virtual := map[string]sqltext.Object{}, map[string]sqltext.Object{}
	for _, o := range t.objects {
		if sqlite.IsVirtual(o) {
			virtual[sqltext.Fold(o.Name)] = o
		}
		if names := t.namesIn(o.SQL); o.Type == "view" && namesRowid(names) || external(o) {
			for name := range names {
				all[name] = o
			}
		}
	}
	for _, o := range t.objects {
		if len(virtual) == 0 || o.Type != "trigger" || !writesRowid(o.SQL) {
			continue
		}
		for name := range t.namesIn(o.SQL) {
			if v, ok := virtual[name]; ok {
				all[sqltext.Fold(o.Table)] = v
			}
		}
	}
	for _, c := range t.Copies {
		if v, ok := virtual[c.into]; ok && namesRowid(c.columns) && !c.from["join"] && !c.from[","] {
			for name := range c.from {
				all[name] = v
			}
		}
	}
	for _, o := range t.objects {
		if name := sqltext.Fold(o.Name); all[name].Name != "" && (o.Type != "table" || sqlite.IsVirtual(o) || sqltext.RowidAlias(o) != "") {
			delete(all, name)
		}
	}
	return all
}

func namesRowid(names map[string]bool) bool {
	return names["rowid"] || names["oid"] || names["_rowid_"]
}

// writesRowid reports whether a trigger has to do with the rowid of a new row.
func writesRowid(trigger string) bool {
	s := sqltext.Parse(trigger)
	for i := range s.Tokens {
		switch s.Name(i + 2) {
		case "rowid", "oid", "_rowid_":
			if s.Name(i) == "new" && s.Name(i+1) == "." {
				return true
			}
		}
	}
	return false
}

// useAll reports the tables and views that cannot be read, the FTS5 tables that do not fit and the
// triggers that fail, with these rows.
func (o *observation) useAll() error {
	for _, obj := range o.post {
		name := sqltext.Fold(obj.Name)
		isNew := !slices.Contains(o.objects, obj)
		if err := o.lookAtSync(obj); err != nil {
			return err
		}
		if o.was.broken[name] || !o.concerns[name] && !isNew {
			continue
		}
		err := o.use(obj)
		if obj.Type == "trigger" && isNew {
			err = o.fire(obj)
		}
		switch {
		case err == nil:
		case isFTS5(obj) && errors.Is(err, sqlite3.ERROR):
			o.report(o.lastAbout(obj), "fts "+name, "%s cannot be read: %s; make it again, with content that is there", obj.Name, sqlite.Sentence(err))
		case isFTS5(obj):
			o.report(o.lastAbout(obj), "fts "+name, "%s no longer fits its content: %s; at the end: INSERT INTO %s(%s) VALUES ('rebuild')", obj.Name, sqlite.Sentence(err), obj.Name, obj.Name)
		case obj.Type != "trigger":
			o.report(o.lastAbout(obj), obj.Type+" "+name, "%s %s cannot be read: %s", obj.Type, obj.Name, sqlite.Sentence(err)).Failure = true
		default:
			o.report(o.lastAbout(obj), "trigger "+name, "trigger %s fails on a row of %s: %s", obj.Name, obj.Table, sqlite.Sentence(err)).Failure = true
		}
	}
	return nil
}

// lastAbout returns the statement that makes the object or replaces what it names, or the last that
// names one of them.
func (o *observation) lastAbout(obj sqltext.Object) int {
	names, last := o.namesIn(obj.SQL), o.last("create", obj.Type, obj.Name)
	for name := range names {
		if o.gone[name] != nil && o.tables[name] != nil {
			last = max(last, o.tables[name].copied)
		}
	}
	if last >= 0 || o.m.Run != nil {
		return last
	}
	for i, s := range slices.Backward(o.m.Statements) {
		if names[sqltext.Fold(o.defines[i].Name)] || o.namesIn(s.SQL)[sqltext.Fold(obj.Name)] {
			return i
		}
	}
	return len(o.m.Statements) - 1
}

// fire has a trigger fire on all rows, and returns the error if it is one of the trigger's
// own SQL. By RAISE, and by what is unique or checked, it may refuse rows.
func (o *observation) fire(trigger sqltext.Object) error {
	isView := o.object("view", trigger.Table).Name != ""
	if o.object("table", trigger.Table).Name == "" && !isView {
		return nil
	}
	// What only the trigger can fail at: the rows are there.
	event, err := o.event(trigger, `INSERT OR REPLACE INTO main."$1" ($2) SELECT $2 FROM main."$1"`)
	if err != nil {
		return err
	}
	run := func(before string) (failed error) {
		err := o.rolledBack(func() error {
			err := o.Conn.Exec(before)
			failed = o.Conn.Exec(event)
			return err
		})
		return cmp.Or(failed, err)
	}
	err = run("SELECT 1")
	is := func(code error) bool { return errors.Is(err, code) }
	own := is(sqlite3.ERROR) || is(sqlite3.MISMATCH) || is(sqlite3.CONSTRAINT_NOTNULL) || is(sqlite3.CONSTRAINT_DATATYPE)
	if own && (isView || run("DROP TRIGGER main."+sqltext.Quote(trigger.Name)) == nil) {
		return err
	}
	return nil
}

// event returns a statement that fires the trigger on all rows of a table. Of a trigger of INSERT it is the one
// that is given, in which $1 is the table, and $2 are the columns that can be written.
func (o *observation) event(trigger sqltext.Object, insert string) (string, error) {
	about, event, err := sqlite.Trial(o.ctx, o.DB, trigger)
	if err != nil || !strings.HasPrefix(about, "INSERT") {
		return event, err
	}
	columns, err := o.query(`SELECT group_concat(printf('"%w"', name), ', ') FROM pragma_table_xinfo(?) WHERE hidden = 0`, trigger.Table)
	if err != nil {
		return "", err
	}
	return sqltext.Fill(insert, trigger.Table, columns[0][0]), nil
}

// compareOrphans reports rows without a parent, for which an upgrade is refused.
func (o *observation) compareOrphans() error {
	orphans, err := o.findOrphans(o.post)
	o.clean = len(orphans) == 0
	if o.orphaned = len(orphans) > o.orphans; !o.orphaned || err != nil {
		return err
	}
	if o.m.Run != nil {
		o.since = -1
	}
	advice := "delete them, too"
	if o.m.Run == nil {
		s := &o.m.Statements[o.since]
		switch w := s.Words(4); {
		case s.Keyword() == "insert":
			advice = "leave them out, or insert that first"
		case s.Keyword() == "update" && slices.Contains(w, sqltext.Fold(orphans[0][1])) && !sqltext.Equal(orphans[0][0], orphans[0][1]):
			advice = "update them, too"
		case s.Keyword() == "alter", s.Keyword() == "update":
			advice = "insert that first, or leave the key NULL"
		}
	}
	if o.object("table", orphans[0][1]).Name == "" {
		_, advice := KeysFollow(o.m.Statements, orphans[0][1])
		o.report(o.since, "orphans", "leaves rows of %s that refer to %s, which is not there, and an upgrade that does is refused%s", orphans[0][0], orphans[0][1],
			advice).orphans(orphans[0][0])
		return nil
	}
	o.report(o.since, "orphans", "leaves rows of %s whose row of %s does not exist, and an upgrade that does is refused; %s", orphans[0][0], orphans[0][1], advice).orphans(orphans[0][0])
	return nil
}

// orphans says that the finding is about rows of a table that have no parent.
func (f *Finding) orphans(table string) { f.Failure, f.about = true, table }

// KeysFollow returns the last statement that renames a table to the name, or -1, and what to do
// instead: the foreign keys of other tables have followed it.
//
// https://sqlite.org/lang_altertable.html#altertabrename
func KeysFollow(statements []sqltext.Statement, name string) (statement int, advice string) {
	for i, s := range slices.Backward(statements) {
		if d, ok := s.Definition(); ok && sqltext.Equal(d.NewName, name) {
			return i, fmt.Sprintf("; foreign keys have followed %s to that name: make the new table under another name, drop %[1]s, and rename the new one", d.Name)
		}
	}
	return -1, ""
}
