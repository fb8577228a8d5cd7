package gen

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// cascades finds the statements that rely on a foreign key's action. Foreign keys
// are off during an upgrade, so that tables can be rebuilt, and ON DELETE CASCADE
// does not happen. The replay's database is nearly empty, so it would not show.
//
// https://sqlite.org/foreignkeys.html#fk_actions
//
// SQLite's authorizer tells what a statement writes, and with foreign keys on that
// includes what the actions write. It is asked only about statements that can matter,
// by the words of the statements before them.
type cascades struct {
	action  bool // a table may have been created with an action
	trigger bool // a trigger may have been created
	replace bool // a table may have been created with ON CONFLICT REPLACE

	off     bool      // this migration has a PRAGMA foreign_keys = OFF: what follows is meant
	found   []finding // in this migration
	dropped []string  // tables that this migration drops
}

type finding struct {
	Problem
	parent string
}

// inspect compiles a statement that is about to be executed, and looks for what it
// would write with foreign keys on and does not write without.
func (c *cascades) inspect(conn *sqlite3.Conn, s *statement) error {
	if !c.action || c.off {
		return nil
	}
	switch s.Keyword() {
	case "delete", "update", "replace", "with":
	case "insert":
		if !s.replace && !s.conflict && !c.trigger && !c.replace {
			return nil
		}
	default:
		return nil
	}
	if s.excused() {
		return nil
	}
	with, err := writesOf(conn, s.SQL, true)
	if err != nil || len(with) < 2 { // an action's is never the first
		return err
	}
	without, err := writesOf(conn, s.SQL, false)
	if err != nil {
		return err
	}
	for i, w := range with {
		if at := slices.Index(without, w); at >= 0 {
			without = slices.Delete(without, at, at+1)
			continue
		}
		missed, parent, err := actionOn(conn, w.Table, with[:i])
		if missed != "" {
			c.found = append(c.found, finding{s.problem(missed +
				`, but foreign keys are off during an upgrade; write out what it would do, then add "-- lockstep: no-cascade" to this line`), parent})
		}
		return err
	}
	return nil
}

// writesOf returns what the statement writes.
func writesOf(conn *sqlite3.Conn, sql string, foreignKeys bool) ([]engine.Write, error) {
	// Unlike the pragma, this works in a transaction.
	// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenablefkey
	if _, err := conn.Config(sqlite3.DBCONFIG_ENABLE_FKEY, foreignKeys); err != nil {
		return nil, err
	}
	all, err := engine.Writes(conn, sql)
	_, off := conn.Config(sqlite3.DBCONFIG_ENABLE_FKEY, false)
	return all, errors.Join(err, off)
}

// actionOn returns which of the writes makes a foreign key write to child, and to which
// table that refers.
func actionOn(conn *sqlite3.Conn, child string, before []engine.Write) (missed, parent string, err error) {
	acts := func(action string) bool { return action != "NO ACTION" && action != "RESTRICT" }
	err = engine.Each(conn, func(key *sqlite3.Stmt) {
		table, column, onDelete, onUpdate := key.ColumnText(0), key.ColumnText(1), key.ColumnText(2), key.ColumnText(3)
		for _, w := range before {
			update := w.Code == sqlite3.AUTH_UPDATE && acts(onUpdate) && (column == "" || column == w.Column || w.Column == "rowid")
			switch {
			case missed != "" || w.Table != table:
				continue
			case update:
				missed = fmt.Sprintf("UPDATE of %s.%s relies on ON UPDATE %s of %s", table, w.Column, onUpdate, child)
			case !acts(onDelete):
				continue
			case w.Code == sqlite3.AUTH_DELETE:
				missed = fmt.Sprintf("DELETE from %s relies on ON DELETE %s of %s", table, onDelete, child)
			default:
				missed = fmt.Sprintf("REPLACE in %s relies on ON DELETE %s of %s", table, onDelete, child)
			}
			if parent = table; w.Trigger != "" {
				missed = "trigger " + w.Trigger + ": " + missed
			}
		}
	}, `SELECT lower("table"), lower("to"), on_delete, on_update FROM pragma_foreign_key_list(?) ORDER BY id, seq`, child)
	return missed, parent, err
}

// learn takes note of what a statement that has been executed defines.
func (c *cascades) learn(s *statement) {
	if pragma, sets := s.SetsConnection(); sets && pragma == "foreign_keys" {
		c.off = s.turnsOff()
	}
	d, ok := s.Definition()
	if !ok {
		return
	}
	c.action = c.action || s.action
	c.replace = c.replace || s.replace
	c.trigger = c.trigger || d.Kind == "trigger"
	if s.Keyword() == "drop" && d.Kind == "table" {
		c.dropped = append(c.dropped, sqltext.Fold(d.Name))
	}
}

// end returns what was found in the migration that ends here. A table that it
// dropped does not count: what refers to it will refer to the table that replaces
// it.
func (c *cascades) end() (problems Problems) {
	for _, f := range c.found {
		if !slices.Contains(c.dropped, f.parent) {
			problems = append(problems, f.Problem)
		}
	}
	c.off, c.found, c.dropped = false, nil, nil
	return problems
}
