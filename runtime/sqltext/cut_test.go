package sqltext

import (
	"fmt"
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
	}{
		{"Nothing", " ;; -- a comment;\n/* ; */ ;", ""},
		{"One", "SELECT 1", "1 select SELECT 1"},
		{"SemicolonsBefore", ";;\n;SELECT 1;;", "2 select SELECT 1;"},
		{"Several", "SELECT ';' ; -- ;\n\nDELETE FROM \"a;b\";/*;*/COMMIT", "1 select SELECT ';' ;\n3 delete DELETE FROM \"a;b\";\n3 commit COMMIT"},
		{"Directives", "-- lockstep: no-cascade\nDELETE FROM a;\n-- lockstep: no-cascade\nEND", "2 delete DELETE FROM a;\n4 end END"},
		{"Trigger", "CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM b; END; COMMIT",
			"1 create CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM b; END;\n1 commit COMMIT"},
		{"TriggerWithComments", "create/**/temporary trigger t after update on a begin select 1;\n-- lockstep: no-cascade\nend /**/ ; end",
			"1 create create/**/temporary trigger t after update on a begin select 1;\n-- lockstep: no-cascade\nend /**/ ;\n3 end end"},
		{"TriggerIfNotExists", "CREATE TEMP TRIGGER IF NOT EXISTS end AFTER UPDATE ON a BEGIN SELECT 1; END;END", "1 create CREATE TEMP TRIGGER IF NOT EXISTS end AFTER UPDATE ON a BEGIN SELECT 1; END;\n1 end END"},
		{"ExplainedTrigger", "EXPLAIN CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1; END; COMMIT", "1 explain EXPLAIN CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1; END;\n1 commit COMMIT"},
		{"ExplainedQueryPlanOfATrigger", "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1; END; COMMIT", "1 explain EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1; END;\n1 commit COMMIT"},
		{"TableNamedTrigger", "CREATE TABLE trigger_log (a); COMMIT", "1 create CREATE TABLE trigger_log (a);\n1 commit COMMIT"},
		{"BodyThatDoesNotEnd", "CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1;", "1 create CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, stmt := range Parse(c.text).Cut() {
				got = append(got, fmt.Sprint(stmt.Line, " ", stmt.Keyword(), " ", stmt.SQL))
			}
			if got := strings.Join(got, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestSetsConnection(t *testing.T) {
	for _, c := range []struct {
		sql, pragma string
		sets        bool
	}{
		{"SELECT 1", "", false},
		{"PRAGMA query_only", "query_only", false},
		{"PRAGMA main.query_only", "query_only", false},
		{"PRAGMA query_only = 1", "query_only", true},
		{"pragma main.[Query_Only](1)", "query_only", true},
		{"PRAGMA journal_mode = wal", "journal_mode", true},
		{"PRAGMA foreign_keys = 1", "foreign_keys", true},
		{"PRAGMA table_info(a)", "table_info", false},
		{"PRAGMA user_version = 7", "user_version", false},
		{"PRAGMA recursive_triggers = 1", "recursive_triggers", false},
		{"EXPLAIN PRAGMA query_only = 1", "query_only", true},
		{"EXPLAIN QUERY PLAN PRAGMA query_only = 1", "query_only", true},
		{"EXPLAIN SELECT pragma FROM a", "", false},
		{"EXPLAIN -- lockstep: x\nQUERY PLAN PRAGMA query_only = 1", "query_only", true},
		{"EXPLAIN SELECT 1", "", false},
	} {
		stmt := Parse(c.sql).Cut()[0]
		if pragma, sets := stmt.SetsConnection(); pragma != c.pragma || sets != c.sets {
			t.Errorf("%s: got %q, %v; want %q, %v", c.sql, pragma, sets, c.pragma, c.sets)
		}
	}
}
