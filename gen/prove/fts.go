package prove

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/rows"
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
		names := o.namesIn(trigger.SQL)
		if trigger.Type != "trigger" || isOld && slices.Contains(o.objects, trigger) || names["select"] || names["when"] || names["where"] ||
			!names[sqltext.Fold(fts.Name)] || !o.namesIn(fts.SQL)[sqltext.Fold(trigger.Table)] || o.object("table", trigger.Table).Name == "" {
			continue
		}
		event, err := o.event(trigger, `INSERT INTO main."$1" ($2) SELECT $2 FROM temp.lockstep_rows`)
		if err != nil {
			return err
		}
		prepare := `CREATE TEMP TABLE lockstep_rows AS SELECT * FROM main."$1"`
		if strings.HasPrefix(event, "INSERT") {
			prepare += `; DELETE FROM main."$1"`
		}
		err = o.rolledBack(func() error {
			if err := cmp.Or(o.triggers(false), o.Conn.Exec(sqltext.Fill(prepare, trigger.Table)), o.triggers(true)); err != nil {
				return err
			}
			rebuild := sqltext.Fill(`INSERT INTO "$1"("$1") VALUES ('rebuild')`, fts.Name)
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
