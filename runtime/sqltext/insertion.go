package sqltext

// An Insertion is what an INSERT says about the columns of its table. Names are in lower case.
type Insertion struct {
	Table    string
	Columns  []string // nil: all
	Nulls    []int    // those of columns that are NULL in a row of VALUES
	Ignores  bool     // INSERT OR IGNORE
	Replaces bool     // INSERT OR REPLACE, which puts the default in the place of NULL
}

// ParseInsertion reads "INSERT INTO table (columns) VALUES (values), …" and its like. ok is
// false if it is another statement, or about a table of another database than main.
//
// https://sqlite.org/lang_insert.html
func ParseInsertion(sql string) (in Insertion, ok bool) {
	p := tableParser{parser: parser{lexemes: lex(sql)}}
	p.until("into") // a WITH clause can come first
	if p.at > 0 {
		verb := p.lexemes[p.at-1].key
		in.Ignores, in.Replaces = verb == "ignore", verb == "replace"
	}
	p.expect("into")
	schema := "main"
	in.Table = Fold(p.name())
	if p.accept(".") {
		schema, in.Table = in.Table, Fold(p.name())
	}
	if p.accept("as") {
		p.name()
	}
	if p.peek("(") {
		for _, name := range p.names() {
			in.Columns = append(in.Columns, Fold(name))
		}
	}
	switch {
	case p.accept("default"): // VALUES
		in.Columns = []string{}
	case p.accept("values"):
		for more := true; more; more = p.accept(",") {
			row := parser{lexemes: p.group()}
			for column := 0; !row.done(); column++ {
				if Equal(exact(row.until(",")), "null") {
					in.Nulls = append(in.Nulls, column)
				}
				row.accept(",")
			}
		}
	}
	return in, !p.failed && schema == "main"
}

// Aggregates returns, for each column of a SELECT from a table without GROUP BY, the call of an
// aggregate function that it is, if that is NULL without rows, or "". The name of the table is
// in lower case.
//
// https://sqlite.org/lang_aggfunc.html
func Aggregates(sql string) (table string, columns []string) {
	p := parser{lexemes: lex(sql)}
	p.expect("select")
	for more := true; more && !p.failed; more = p.accept(",") {
		columns = append(columns, aggregate(p.until(", from")))
	}
	p.expect("from")
	table = Fold(p.name())
	p.until("group having over union intersect except")
	if p.failed || !p.done() {
		return "", nil
	}
	return table, columns
}

// aggregate returns the call that a column of a SELECT is, if it is NULL without rows, or "".
func aggregate(column []lexeme) string {
	p := parser{lexemes: column}
	name := p.next().key
	args := parser{lexemes: p.group()}
	call := show(column[:p.at])
	if p.accept("as") {
		p.name()
	}
	args.until(",")
	switch name {
	case "min", "max": // of two arguments, they are no aggregates
		p.failed = p.failed || !args.done()
	case "sum", "avg", "group_concat", "string_agg":
	default:
		return ""
	}
	if p.failed || p.at < len(column) {
		return ""
	}
	return call
}
