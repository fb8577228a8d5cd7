package prove

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func isFTS5(o sqltext.Object) bool {
	module, _ := rows.Virtual(o)
	return module == "fts5"
}

// external reports whether an FTS5 table has its content in another.
func external(o sqltext.Object) bool {
	module, content := rows.Virtual(o)
	return module == "fts5" && content != ""
}

// lookAtSync reports an FTS5 table that does not fit its content when a trigger has fired for all rows,
// if one of the two is new. One that leaves out rows does so on purpose.
func (o *observation) lookAtSync(fts sqltext.Object) error {
	if !external(fts) || o.use(fts) != nil {
		return nil
	}
	isOld := slices.Contains(o.objects, fts)
	for _, trigger := range o.post {
		names, table := o.namesIn(trigger.SQL), sqltext.Quote(trigger.Table)
		if trigger.Type != "trigger" || isOld && slices.Contains(o.objects, trigger) || names["select"] || names["when"] || names["where"] ||
			!names[sqltext.Fold(fts.Name)] || !o.namesIn(fts.SQL)[sqltext.Fold(trigger.Table)] || o.object("table", trigger.Table).Name == "" {
			continue
		}
		about, event, err := sqlite.Trial(o.ctx, o.DB, trigger)
		if err != nil {
			return err
		}
		prepare := "SELECT 1"
		if strings.HasPrefix(about, "INSERT") {
			columns, err := o.writable(trigger.Table)
			if err != nil {
				return err
			}
			prepare = fmt.Sprintf("CREATE TEMP TABLE lockstep_rows AS SELECT %s FROM main.%s; DELETE FROM main.%[2]s", columns, table)
			event = fmt.Sprintf("INSERT INTO main.%s (%s) SELECT * FROM temp.lockstep_rows", table, columns)
		}
		err = o.rolledBack(func() error {
			if err := cmp.Or(o.triggers(false), o.Conn.Exec(prepare), o.triggers(true)); err != nil {
				return err
			}
			rebuild := fmt.Sprintf("INSERT INTO %s(%[1]s) VALUES ('rebuild')", sqltext.Quote(fts.Name))
			if o.Conn.Exec(rebuild) == nil && o.use(fts) == nil && o.Conn.Exec(event) == nil && o.use(fts) != nil {
				o.report(o.lastAbout(trigger), "sync "+sqltext.Fold(fts.Name), "%s no longer fits %s when trigger %s has fired: it has to write all columns of %[1]s", fts.Name, trigger.Table, trigger.Name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
