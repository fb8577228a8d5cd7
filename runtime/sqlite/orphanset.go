package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// An OrphanSet knows the rows without parent of a database, one by one. It takes some 40
// bytes of memory for each.
type OrphanSet struct {
	effects *sqltext.Effects
	keys    map[string]bool // the foreign keys that there are, and where
	rows    map[uint64]orphan
}

type orphan struct {
	value        uint64
	key          *foreignKey
	count, still int32 // rows that nothing tells apart, and those found again
}

// NewOrphanSet reads the rows that [FindOrphans] finds. Where it finds a foreign key that is
// itself wrong, it adds to the effects that rows may lack a parent once it is not.
func NewOrphanSet(ctx context.Context, db DB, objects []sqltext.Object, before *sqltext.Effects) (*OrphanSet, error) {
	s := &OrphanSet{before, make(map[string]bool), make(map[uint64]orphan)}
	found, err := FindOrphans(ctx, db, objects, before)
	for _, o := range found {
		if o.Mismatch && before != nil {
			before.Suspect(o.Table)
		}
	}
	if err != nil || len(found) == 0 {
		return s, err
	}
	keys, err := foreignKeys(ctx, db, nil)
	for _, k := range keys {
		s.keys[s.place(k)] = true
		if err == nil {
			err = k.orphans(ctx, db, found, s.effects, func(row, exact, value string) {
				id := k.row(row, exact)
				s.rows[id] = orphan{hash(value), k, s.rows[id].count + 1, 0}
			})
		}
	}
	return s, err
}

//go:noinline
func hash(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.LittleEndian.Uint64(sum[:])
}

// place returns where the foreign key is, and its name. VACUUM changes the former.
func (s *OrphanSet) place(k *foreignKey) string {
	if s.effects != nil && s.effects.Vacuums {
		return k.name()
	}
	return k.made + " " + k.name()
}

// renews reports whether rows of the foreign key may have other rowids, though nothing has
// changed them.
func (s *OrphanSet) renews(k *foreignKey) bool {
	return s.effects != nil && (s.effects.Drops(k.child) || s.effects.Vacuums && k.numbered)
}

func (k *foreignKey) row(row, exact string) uint64 {
	return hash(k.name() + "\x00" + row + "\x00" + exact)
}

// New returns those of the rows that [FindOrphans] has found after the effects that are not in the set:
// Count of each table. Before are in it. A row is the same if table, row, foreign key and values
// are. Where there was no such foreign key, because something was renamed or its table was
// made anew, or where SQLite has numbered the rows anew, a row that has gone from another such
// place is the same if its values are.
func (s *OrphanSet) New(ctx context.Context, db DB, found []Orphans) (fresh []Orphans, err error) {
	keys, err := foreignKeys(ctx, db, nil)
	if err != nil {
		return nil, err
	}
	now := make(map[string]bool)
	for _, k := range keys {
		now[s.place(k)] = true
		err := k.orphans(ctx, db, found, s.effects, func(row, exact, _ string) {
			id := k.row(row, exact)
			if o := s.rows[id]; o.still < o.count {
				o.still++
				s.rows[id] = o
			}
		})
		if err != nil {
			return nil, err
		}
	}
	moved := make(map[uint64]int)
	for _, o := range s.rows {
		if place := s.place(o.key); !now[place] {
			moved[o.value] += int(o.count - o.still)
		} else if s.renews(o.key) {
			moved[o.value^hash(place)] += int(o.count - o.still)
		}
	}
	for _, k := range keys {
		i := slices.IndexFunc(fresh, func(o Orphans) bool { return o.Table == k.child && o.Parent == k.parent })
		if i < 0 {
			i = len(fresh)
			fresh = append(fresh, Orphans{Table: k.child, Parent: k.parent})
		}
		o, place, renewed := &fresh[i], s.place(k), s.renews(k)
		err := k.orphans(ctx, db, found, s.effects, func(row, exact, value string) {
			id := k.row(row, exact)
			was := s.rows[id]
			known := was.still > 0
			if known {
				was.still--
				s.rows[id] = was
			} else if renewed || !s.keys[place] {
				from := hash(value)
				if s.keys[place] {
					from ^= hash(place)
				}
				if known = moved[from] > 0; known {
					moved[from]--
				}
			}
			switch {
			case known && row != "":
				o.Before++
			case !known:
				o.Count++
				o.Mismatch = o.Mismatch || row == ""
			}
			if !known && row != "" && len(o.Rows) < namedRows {
				o.Rows = append(o.Rows, row)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// A foreignKey is one of a table.
type foreignKey struct {
	child, parent string
	made          string // where the child is stored: elsewhere once it was made anew
	numbered      bool   // its rows have no key but the rowid
	id            int
	orphaned      bool     // the parent does not exist
	implicit      bool     // the parent's columns are not named
	from          []string // columns
	to            []sql.NullString
}

// foreignKeys returns the foreign keys of the tables, or all that the database has.
func foreignKeys(ctx context.Context, db DB, of []string) (keys []*foreignKey, err error) {
	// REFERENCES parent without columns means its primary key.
	q := `SELECT m.name, m.rootpage || ' ' || m.rowid, f.id, f."table", f."from",
	coalesce(f."to", (SELECT name FROM pragma_table_info(f."table", 'main') WHERE pk = f.seq + 1)), f."to" IS NULL,
	NOT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(f."table")),
	NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name, 'main') WHERE pk > 0)
FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name, 'main') AS f
WHERE m.type = 'table' AND m.rootpage > 0`
	if of != nil {
		names := ""
		for _, name := range of {
			names += sqltext.Fill(", '$1'", name)
		}
		q += " AND m.name IN (" + names[2:] + ")"
	}
	q += " ORDER BY m.rowid, f.id, f.seq"
	err = Each(ctx, db, q, func(scan Scan) error {
		k := &foreignKey{}
		var implicit, orphaned, numbered int
		var from string
		var to sql.NullString
		err := scan(&k.child, &k.made, &k.id, &k.parent, &from, &to, &implicit, &orphaned, &numbered)
		k.implicit, k.orphaned, k.numbered = implicit == 1, orphaned == 1, numbered == 1
		if n := len(keys); n > 0 && keys[n-1].child == k.child && keys[n-1].id == k.id {
			k = keys[n-1]
		} else {
			keys = append(keys, k)
		}
		k.from, k.to = append(k.from, from), append(k.to, to)
		return err
	})
	return keys, err
}

func (k *foreignKey) name() string {
	return sqltext.Fold(k.child + "\x00" + k.parent + "\x00" + strings.Join(k.from, "\x00"))
}

// after reports whether rows of the foreign key may have lost their parent by the effects.
func (k *foreignKey) after(e *sqltext.Effects) bool { return e == nil || e.Rows(k.child, k.parent) }

// orphans calls f for each row of the foreign key without parent, if its table is among
// those found; once, with "" for the row, if the foreign key is itself wrong.
func (k *foreignKey) orphans(ctx context.Context, db DB, found []Orphans, after *sqltext.Effects, f func(row, exact, value string)) error {
	among, mismatch := false, false
	for i := range found {
		of := sqltext.Equal(found[i].Table, k.child)
		among, mismatch = among || of, mismatch || of && found[i].Mismatch
	}
	if mismatch {
		if ok, err := k.matches(ctx, db); !ok || err != nil {
			f("", mismatchText, k.made+" "+strconv.Itoa(k.id)) // renaming does not change where it is
			return err
		}
	}
	if !among || !k.after(after) {
		return nil
	}
	return k.each(ctx, db, -1, f)
}

// suspect reports whether rows of the foreign key may lack a parent. SQLite can tell from an
// index on its columns many times faster than by foreign_key_check, which looks for the parent
// of each row and not of each value.
func (k *foreignKey) suspect(ctx context.Context, db DB) (may bool, err error) {
	var values, present, match, pairs string
	for i, from := range k.from {
		to, n := k.to[i].String, strconv.Itoa(i)
		pairs += sqltext.Fill(", ('$1', '$2')", sqltext.Fold(from), sqltext.Fold(to))
		values += sqltext.Fill(`, "$1" COLLATE BINARY AS v$2`, from, n)
		present += sqltext.Fill(` AND "$1" IS NOT NULL`, from)
		match += sqltext.Fill(` AND p."$1" = +v$2`, to, n)
	}
	q := sqltext.Fill(`SELECT 1 FROM (SELECT DISTINCT $1 FROM main."$2" WHERE true$3)`, values[2:], k.child, present)
	if !k.orphaned {
		q += sqltext.Fill(` WHERE NOT EXISTS (SELECT 1 FROM main."$1" AS p WHERE true$2)`, k.parent, match)
	}
	// To a parent that is TEXT, 1 and 1.0 are different values. To DISTINCT they are one.
	types := sqltext.Fill(`SELECT 1 FROM pragma_table_xinfo('$1', 'main') AS c, pragma_table_xinfo('$2', 'main') AS p
WHERE (lower(c.name), lower(p.name)) IN (VALUES $3) AND p.type NOT LIKE '%int%' AND lower(p.type) <> lower(c.type)`, k.child, k.parent, pairs[2:])
	note := func(Scan) error { may = true; return nil }
	if err = Each(ctx, db, types, note); err != nil || may {
		return may, err
	}
	err = Each(ctx, db, "EXPLAIN QUERY PLAN "+q, func(scan Scan) error {
		var id, parent, unused, detail string
		err := scan(&id, &parent, &unused, &detail)
		may = may || strings.Contains(detail, "TEMP B-TREE")
		return err
	})
	if err == nil && !may {
		err = Each(ctx, db, q+" LIMIT 1", note)
	}
	return may, err
}

// matches reports whether the foreign key has the columns of a unique key of its parent, with
// their own collations. https://sqlite.org/foreignkeys.html#fk_indexes
func (k *foreignKey) matches(ctx context.Context, db DB) (ok bool, err error) {
	var parent sqltext.Object
	q := sqltext.Fill("SELECT coalesce(max(sql), '') FROM main.sqlite_master WHERE type = 'table' AND lower(name) = lower('$1')", k.parent)
	if err = Read(ctx, db, q, &parent.SQL); err != nil {
		return false, err
	}
	var to []string
	collated, implicit := "", "false"
	for _, column := range k.to {
		name := sqltext.Fold(column.String)
		to, collated = append(to, name), collated+sqltext.Fill(", ('$1', '$2')", name, parent.Collation(name))
	}
	if k.implicit {
		implicit = "true"
	}
	sort.Stable(sort.StringSlice(to))
	q = sqltext.Fill(`SELECT group_concat(name, char(0)) FROM (SELECT '' AS key, lower(name) AS name FROM pragma_table_xinfo('$1', 'main')
WHERE pk > 0 AND ($3 OR NOT EXISTS (SELECT 1 FROM pragma_index_list('$1', 'main') WHERE origin = 'pk'))
UNION ALL SELECT l.name, iif((lower(i.name), lower(i.coll)) IN (VALUES $2), lower(i.name), '')
FROM pragma_index_list('$1', 'main') AS l JOIN pragma_index_xinfo(l.name, 'main') AS i
WHERE i.key AND l."unique" AND NOT l.partial AND NOT $3 ORDER BY 1, 2) GROUP BY key`, k.parent, collated[2:], implicit)
	unique, err := texts(ctx, db, q)
	return slices.Contains(unique, strings.Join(to, "\x00")) || k.orphaned, err
}

// each calls f for rows without parent of the foreign key, at most limit unless that is
// negative, with the values of its columns: exactly, and as texts.
func (k *foreignKey) each(ctx context.Context, db DB, limit int, f func(row, exact, value string)) error {
	row, err := rowName(ctx, db, k.child, "c")
	if err != nil {
		return err
	}
	where, match, exact, value := "true", "true", "''", "''" // as numbers, 1.0 is the same value as 1
	matches := !k.orphaned
	for i, from := range k.from {
		where += sqltext.Fill(` AND c."$1" IS NOT NULL`, from)
		exact += sqltext.Fill(` || ',' || quote(c."$1")`, from)
		value += sqltext.Fill(` || ',' || CAST(c."$1" AS TEXT)`, from)
		// As SQLite does it, with collation and affinity of the parent's column:
		// the plus takes the child's away. https://sqlite.org/foreignkeys.html#fk_basics
		match += sqltext.Fill(` AND p."$1" = +c."$2"`, k.to[i].String, from)
		matches = matches && k.to[i].Valid
	}
	if matches {
		where += sqltext.Fill(` AND NOT EXISTS (SELECT 1 FROM main."$1" AS p WHERE $2)`, k.parent, match)
	}
	q := sqltext.Fill(`SELECT $1, $2, replace($3 || ',', '.0,', ',') FROM main."$4" AS c NOT INDEXED WHERE $5 LIMIT $6`, row, exact, value, k.child, where, strconv.Itoa(limit))
	return Each(ctx, db, q, func(scan Scan) error {
		var row, exact, value string
		err := scan(&row, &exact, &value)
		f(row, exact, value)
		return err
	})
}
