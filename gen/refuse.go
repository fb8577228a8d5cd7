package gen

import (
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

const oursIsRefused = "_meta and _lockstep_history are lockstep's; use another name"

// refused returns why the statement cannot be part of a migration, or nil.
func (s *statement) refused() *Problem {
	report := func(format string, args ...any) *Problem {
		p := s.problem(fmt.Sprintf(format, args...))
		return &p
	}
	switch s.Keyword() {
	case "rollback":
		if next := s.m.script.Name(s.First + 1); next == "to" || next == "transaction" && s.m.script.Name(s.First+2) == "to" {
			break
		}
		return report("ROLLBACK would end the upgrade's transaction; remove it and what it undoes")
	case "attach", "detach":
		return report("%s: a migration changes one database; copy between files in the program", strings.ToUpper(s.Keyword()))
	case "vacuum":
		for i := s.First; i < s.End; i++ {
			if s.m.script.Name(i) == "into" {
				return report("VACUUM INTO writes another file; make backups outside of migrations")
			}
		}
		if !s.m.alone {
			return report("VACUUM cannot run inside a transaction; " + elsewhere)
		}
	case "pragma":
		if fact := s.refusedPragma(); fact != "" {
			return report("%s", fact)
		}
	case "drop":
		if d, _ := s.Definition(); sqltext.IsOurs(d.Name) {
			return report("%s", oursIsRefused)
		}
	}
	if s.variable >= 0 {
		p := s.m.at(s.m.script.Tokens[s.variable].Pos, "bind parameter %s, which has no value in a migration; write the value", s.m.script.Token(s.variable))
		return &p
	}
	return nil
}

const elsewhere = `put it in a migration of its own whose first line is "-- lockstep: no-transaction"`

// refusedPragma returns why the pragma cannot be part of a migration, or "".
//
// https://sqlite.org/pragma.html
func (s *statement) refusedPragma() string {
	name, sets := s.SetsConnection()
	switch name {
	case "foreign_keys": // skipped
		return ""
	case "journal_mode", "page_size", "auto_vacuum", "wal_checkpoint":
		if s.m.alone || !sets && name != "wal_checkpoint" {
			return ""
		}
		return "PRAGMA " + name + " does nothing inside a transaction; " + elsewhere
	}
	if !sets {
		return ""
	}
	switch name {
	case "schema_version":
		return "PRAGMA schema_version is SQLite's own counter; do not set it"
	case "encoding":
		return "PRAGMA encoding does nothing once the database exists; set it where the program creates the database"
	case "analysis_limit", "automatic_index", "busy_timeout", "cache_size", "cache_spill", "case_sensitive_like",
		"cell_size_check", "checkpoint_fullfsync", "count_changes", "default_cache_size", "empty_result_callbacks",
		"full_column_names", "fullfsync", "hard_heap_limit", "journal_size_limit", "locking_mode", "max_page_count",
		"mmap_size", "query_only", "read_uncommitted", "reverse_unordered_selects", "secure_delete",
		"short_column_names", "soft_heap_limit", "synchronous", "temp_store", "temp_store_directory",
		"data_store_directory", "threads", "trusted_schema", "wal_autocheckpoint":
		return "PRAGMA " + name + " changes the connection, not the database; set it where the program opens the database"
	}
	return "PRAGMA " + name + " is unknown to SQLite, which ignores it; remove it"
}
