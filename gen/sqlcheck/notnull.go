package sqlcheck

import (
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// missing returns the columns for which an INSERT has nothing but NULL, and which
// must not be NULL.
//
// SQLite finds that out when the statement runs, but the program that it makes of
// the statement shows it: HaltIfNull looks at a register into which nothing but
// OP_Null has written. An instruction that may be one that writes there makes this
// silent, even where it is not.
//
// https://sqlite.org/opcode.html
func (d *database) missing(sql string) []string {
	code := d.explain(sql)
	var columns []string
	for _, op := range code {
		const constraintNotNull = 1299 // https://sqlite.org/rescode.html#constraint_notnull
		if op.name != "HaltIfNull" || op.p1 != constraintNotNull {
			continue
		}
		null, written := false, false
		for _, w := range code {
			switch {
			case w.name == "Null" && w.p2 <= op.p3 && op.p3 <= max(w.p2, w.p3):
				null = true
			case w.mayWrite(op.p3):
				written = true
			}
		}
		if null && !written && !slices.Contains(columns, op.p4) {
			columns = append(columns, op.p4)
		}
	}
	return columns
}

type instruction struct {
	name       string
	p1, p2, p3 int
	p4         string
}

// explain returns the program of the statement itself, without those of triggers,
// which have registers of their own.
func (d *database) explain(sql string) []instruction {
	if strings.HasPrefix(sqltext.Fold(strings.TrimSpace(sql)), "explain") {
		return nil
	}
	stmt, f := d.prepare("EXPLAIN " + sql)
	if f != nil {
		return nil
	}
	defer stmt.Close()
	var code []instruction
	for stmt.Step() {
		if stmt.ColumnInt(0) == 0 && len(code) > 0 {
			break
		}
		code = append(code, instruction{stmt.ColumnText(1), stmt.ColumnInt(2), stmt.ColumnInt(3), stmt.ColumnInt(4), stmt.ColumnText(5)})
	}
	return code
}

// mayWrite reports whether the instruction may write into the register.
func (op *instruction) mayWrite(register int) bool {
	switch op.name {
	case "HaltIfNull", "Null", "MakeRecord":
		return false
	case "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "IsNull", "NotNull", "If", "IfNot",
		"SeekGE", "SeekGT", "SeekLE", "SeekLT", "IdxGE", "IdxGT", "IdxLE", "IdxLT", "FkCounter", "FkIfZero":
		return false // they read P3, or jump to P2
	case "Init", "Goto", "Once", "Rewind", "Next", "Yield", "Program", "Transaction", "OpenWrite", "OpenRead",
		"OpenEphemeral", "Halt", "Insert", "IdxInsert", "NoConflict", "Affinity", "TypeCheck", "NotExists", "MustBeInt", "Found", "NotFound":
		return false
	case "Copy", "Move":
		return op.p2 <= register && register <= op.p2+op.p3
	case "VColumn", "Column", "Function", "PureFunc":
		return op.p3 == register
	}
	return op.p2 == register || op.p3 == register
}
