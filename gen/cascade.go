package gen

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// cascades finds the statements that rely on a foreign key's action. Foreign keys
// are off during an upgrade, so that tables can be rebuilt, and ON DELETE CASCADE
// does not happen. The replay's own database, which is nearly empty, would not show
// it.
//
// https://sqlite.org/foreignkeys.html#fk_actions
//
// It costs nothing until a table declares an action, and then only for statements
// that write: SQLite's authorizer tells what they write, triggers included.
type cascades struct {
	declared map[string]bool     // tables whose statements declare an action
	actions  map[string][]action // of these, by parent; nil when they may have changed
	trigger  bool                // a trigger has been created
	replace  bool                // a table has been created with ON CONFLICT REPLACE
	replaces map[string]bool     // whether the trigger or table of that name replaces rows

	found   []finding       // in this migration
	dropped map[string]bool // tables that this migration drops
}

// An action is what happens to rows of child when a row of the parent is deleted, or
// its key changes.
type action struct {
	child              string
	column             string // of the parent's key; "": all of its primary key
	onDelete, onUpdate string
}

// A write is what the authorizer says about a statement.
type write struct {
	code          sqlite3.AuthorizerActionCode
	table, column string
	trigger       string // that does it, or ""
}

type finding struct {
	Problem
	parent string
}

func newCascades() cascades {
	return cascades{declared: map[string]bool{}, replaces: map[string]bool{}, dropped: map[string]bool{}}
}

// watch makes SQLite say what the statement writes when it is prepared. It returns
// nil when that cannot matter. Otherwise the caller must call done after preparing
// the statement.
func (c *cascades) watch(conn *sqlite3.Conn, s *statement) (done func() error, err error) {
	if len(c.declared) == 0 {
		return nil, nil
	}
	switch s.Keyword() {
	case "delete", "update", "replace", "with":
	case "insert":
		if !s.replace && !s.conflict && !c.trigger && !c.replace {
			return nil, nil
		}
	default:
		return nil, nil
	}
	var writes []write
	err = conn.SetAuthorizer(func(code sqlite3.AuthorizerActionCode, table, column, schema, trigger string) sqlite3.AuthorizerReturnCode {
		switch code {
		case sqlite3.AUTH_DELETE, sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE:
			if schema == "main" {
				writes = append(writes, write{code, sqltext.Fold(table), sqltext.Fold(column), trigger})
			}
		}
		return sqlite3.AUTH_OK
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := conn.SetAuthorizer(nil); err != nil {
			return err
		}
		if s.excused() {
			return nil
		}
		return c.judge(conn, s, writes)
	}, nil
}

// judge notes the first of the writes that would trigger an action.
func (c *cascades) judge(conn *sqlite3.Conn, s *statement, writes []write) error {
	if err := c.read(conn); err != nil {
		return err
	}
	for _, w := range writes {
		for _, a := range c.actions[w.table] {
			missed, err := c.missed(conn, s, w, a)
			if err != nil {
				return err
			}
			if missed == "" {
				continue
			}
			if w.trigger != "" {
				missed = "trigger " + w.trigger + ": " + missed
			}
			c.found = append(c.found, finding{s.problem(missed +
				`, but foreign keys are off during an upgrade; write out what it would do, then add "-- lockstep: no-cascade" to this line`), w.table})
			return nil
		}
	}
	return nil
}

// missed returns the write and the action that would follow it, or "".
func (c *cascades) missed(conn *sqlite3.Conn, s *statement, w write, a action) (string, error) {
	if w.code == sqlite3.AUTH_DELETE && acts(a.onDelete) {
		return fmt.Sprintf("DELETE from %s relies on ON DELETE %s of %s", w.table, a.onDelete, a.child), nil
	}
	if w.code != sqlite3.AUTH_DELETE && acts(a.onDelete) {
		replaces, err := c.replacing(conn, s, w)
		if err != nil {
			return "", err
		}
		if replaces {
			return fmt.Sprintf("REPLACE in %s relies on ON DELETE %s of %s", w.table, a.onDelete, a.child), nil
		}
	}
	if w.code == sqlite3.AUTH_UPDATE && acts(a.onUpdate) {
		key, err := isKey(conn, w, a)
		if err != nil {
			return "", err
		}
		if key {
			return fmt.Sprintf("UPDATE of %s.%s relies on ON UPDATE %s of %s", w.table, w.column, a.onUpdate, a.child), nil
		}
	}
	return "", nil
}

// acts reports whether the foreign key's action changes rows.
func acts(action string) bool { return action != "NO ACTION" && action != "RESTRICT" }

// replacing reports whether the write deletes the rows that are in its way: because
// of the statement, the trigger that does it, or the table.
func (c *cascades) replacing(conn *sqlite3.Conn, s *statement, w write) (bool, error) {
	if s.replace {
		return true, nil
	}
	var names []string
	if c.replace {
		names = append(names, w.table)
	}
	if w.trigger != "" {
		names = append(names, sqltext.Fold(w.trigger))
	}
	for _, name := range names {
		replaces, known := c.replaces[name]
		if !known {
			defined, err := definitions(conn, "name = ? COLLATE NOCASE", name)
			if err != nil {
				return false, err
			}
			replaces = slices.ContainsFunc(defined, func(s *statement) bool { return s.replace })
			c.replaces[name] = replaces
		}
		if replaces {
			return true, nil
		}
	}
	return false, nil
}

// definitions returns the statements that define the objects of the schema of which
// the condition is true.
func definitions(conn *sqlite3.Conn, condition string, args ...string) (all []*statement, err error) {
	texts, err := column(conn, "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND "+condition, args...)
	for _, text := range texts {
		var m migration
		m.parse(text)
		all = append(all, m.statements()...)
	}
	return all, err
}

// isKey reports whether a refers to the column that w updates.
func isKey(conn *sqlite3.Conn, w write, a action) (bool, error) {
	if a.column != "" || w.column == "rowid" {
		return w.column == a.column || w.column == "rowid", nil
	}
	keys, err := column(conn, "SELECT name FROM pragma_table_info(?) WHERE pk > 0", w.table)
	return slices.ContainsFunc(keys, func(key string) bool { return sqltext.Fold(key) == w.column }), err
}

// read asks SQLite for the actions, if they may have changed.
func (c *cascades) read(conn *sqlite3.Conn) error {
	if c.actions != nil {
		return nil
	}
	stmt, _, err := conn.Prepare(`SELECT "table", "to", on_delete, on_update FROM pragma_foreign_key_list(?) ORDER BY id, seq`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	actions := map[string][]action{}
	for _, child := range slices.Sorted(maps.Keys(c.declared)) {
		if err := stmt.BindText(1, child); err != nil {
			return err
		}
		for stmt.Step() {
			a := action{child, sqltext.Fold(stmt.ColumnText(1)), stmt.ColumnText(2), stmt.ColumnText(3)}
			if acts(a.onDelete) || acts(a.onUpdate) {
				parent := sqltext.Fold(stmt.ColumnText(0))
				actions[parent] = append(actions[parent], a)
			}
		}
		if err := stmt.Reset(); err != nil {
			return err
		}
	}
	c.actions = actions
	return nil
}

// learn takes note of what a statement that has been executed defines.
func (c *cascades) learn(s *statement) {
	d, ok := s.Definition()
	if !ok {
		return
	}
	clear(c.replaces)
	name := sqltext.Fold(d.Name)
	switch create := s.Keyword() == "create"; {
	case create && d.Kind == "trigger":
		c.trigger = true
	case d.Kind != "table":
	case s.Keyword() == "drop":
		c.dropped[name] = true
		if c.declared[name] {
			delete(c.declared, name)
			c.actions = nil
		}
	default:
		c.replace = c.replace || create && s.replace
		if s.action {
			c.declared[name] = true
		}
		if d.NewName != "" && c.declared[name] {
			c.declared[sqltext.Fold(d.NewName)] = true
		}
		// A new name of the table, or of a column, changes the tables that refer to it.
		if s.action || !create {
			c.actions = nil
		}
	}
}

// reread learns anew from the schema, when a program may have changed it.
func (c *cascades) reread(conn *sqlite3.Conn) error {
	all, err := definitions(conn, "type IN ('table', 'trigger')")
	if err != nil {
		return err
	}
	clear(c.declared)
	c.actions = nil
	for _, s := range all {
		c.learn(s)
	}
	return nil
}

// end returns what was found in the migration that ends here. A table that it
// dropped does not count: what refers to it will refer to the table that replaces
// it.
func (c *cascades) end() (problems Problems) {
	for _, f := range c.found {
		if !c.dropped[f.parent] {
			problems = append(problems, f.Problem)
		}
	}
	c.found = nil
	clear(c.dropped)
	return problems
}
