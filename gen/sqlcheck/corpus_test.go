package sqlcheck

import (
	"errors"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// TestCorpus checks a program that is made of the statements in testdata/corpus.
func TestCorpus(t *testing.T) {
	c := newCorpus(t)

	t.Run("HasNoFalseAlarm", func(t *testing.T) {
		for statement, said := range c.check(t, c.schema(t)) {
			t.Errorf("%s\n\t%s", statement, strings.Join(said, "\n\t"))
		}
	})

	// Each column is renamed in turn, by SQLite. Every statement that uses it, as
	// SQLite's authorizer tells, has to be reported, and no other.
	uses := c.uses(t)
	for _, column := range c.columns(t) {
		t.Run("NoticesThat"+column.camelCase()+"HasAnotherName", func(t *testing.T) {
			c.renamed(t, column, func(schema string) {
				want := c.broken()
				if len(want) == 0 {
					t.Error("no statement in the corpus uses the column")
				}
				for _, statement := range uses[column] {
					if !slices.Contains(want, statement) {
						t.Errorf("SQLite still prepares\n\t%s", statement)
					}
				}
				reported := c.check(t, schema)
				for _, statement := range c.statements {
					said, wanted := reported[statement], slices.Contains(want, statement)
					if wanted && said == nil {
						t.Errorf("no word about\n\t%s", statement)
					}
					if !wanted && said != nil {
						t.Errorf("%s\n\t%s", statement, strings.Join(said, "\n\t"))
					}
				}
			})
		})
	}
}

// corpus is the statements, and a database with their schema.
type corpus struct {
	conn       *sqlite3.Conn
	statements []string
	source     string // a program that makes them all
}

// newCorpus reads testdata/corpus: schema.sql, and files of one statement a line.
func newCorpus(t *testing.T) *corpus {
	c := &corpus{conn: openSchema(t, read(t, filepath.Join("testdata", "corpus", "schema.sql")))}
	files, err := filepath.Glob(filepath.Join("testdata", "corpus", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // in order of name
		if filepath.Base(file) == "schema.sql" {
			continue
		}
		for line := range strings.Lines(read(t, file)) {
			if !strings.HasPrefix(line, "--") {
				c.statements = append(c.statements, strings.TrimSuffix(strings.TrimSpace(line), ";"))
			}
		}
	}
	if len(c.statements) < 150 {
		t.Fatalf("got %d statements; want 150", len(c.statements))
	}
	c.source = program(t, c.conn, c.statements)
	return c
}

// openSchema makes the schema in a database in memory.
func openSchema(t testing.TB, schema string) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, step := range []func() error{
		func() error { return fts5.Register(conn) },
		func() error { return rtree.Register(conn) },
		func() error { _, err := conn.Config(sqlite3.DBCONFIG_DQS_DML, false); return err },
		func() error { return conn.Exec(schema) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// schema returns what a generated file would have for SchemaSQL.
func (c *corpus) schema(t *testing.T) string {
	var objects []sqltext.Object
	for _, row := range rows(t, c.conn, `SELECT type, name, tbl_name, sql FROM sqlite_schema
		WHERE sql NOT NULL AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')`) {
		objects = append(objects, sqltext.Object{Type: row[0], Name: row[1], Table: row[2], SQL: row[3]})
	}
	return sqltext.FormatSchema(objects)
}

// A column is one of a table of the schema.
type column struct{ table, name string }

func (c column) camelCase() string {
	title := func(s string) string {
		words := strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == ' ' })
		for i, word := range words {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
		return strings.Join(words, "")
	}
	return title(c.table) + title(c.name)
}

func (c *corpus) columns(t *testing.T) (columns []column) {
	for _, row := range rows(t, c.conn, `SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c
		WHERE t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite%' AND c.hidden <> 1`) {
		columns = append(columns, column{row[0], row[1]})
	}
	return columns
}

// uses returns for each column the statements that name it. SQLite's authorizer
// tells of every column that is read or set, also by "*" and as rowid.
func (c *corpus) uses(t *testing.T) map[column][]string {
	uses := map[column][]string{}
	for _, statement := range c.statements {
		named := map[string]bool{}
		script := sqltext.Parse(statement)
		for i := range script.Tokens {
			named[strings.Trim(script.Token(i), "\"`[]")] = true
		}
		seen := map[column]bool{}
		err := c.conn.SetAuthorizer(func(action sqlite3.AuthorizerActionCode, table, name, _, inner string) sqlite3.AuthorizerReturnCode {
			used := (action == sqlite3.AUTH_READ || action == sqlite3.AUTH_UPDATE) && inner == ""
			if at := (column{table, name}); used && named[name] && !seen[at] {
				seen[at] = true
				uses[at] = append(uses[at], statement)
			}
			return sqlite3.AUTH_OK
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := prepares(c.conn, statement); err != nil {
			t.Fatalf("%s\n\t%v", statement, err)
		}
	}
	if err := c.conn.SetAuthorizer(nil); err != nil {
		t.Fatal(err)
	}
	return uses
}

// broken returns the statements that SQLite no longer prepares.
func (c *corpus) broken() (broken []string) {
	for _, statement := range c.statements {
		if prepares(c.conn, statement) != nil {
			broken = append(broken, statement)
		}
	}
	return broken
}

// renamed calls f while the column has another name.
func (c *corpus) renamed(t *testing.T, col column, f func(schema string)) {
	t.Helper()
	exec := func(format string, args ...any) {
		t.Helper()
		if err := c.conn.Exec(fmt.Sprintf(format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	exec("SAVEPOINT renamed")
	defer exec("ROLLBACK TO renamed; RELEASE renamed")
	create := rows(t, c.conn, fmt.Sprintf("SELECT sql FROM sqlite_schema WHERE name = '%s'", col.table))[0][0]
	if strings.HasPrefix(create, "CREATE VIRTUAL TABLE") { // which ALTER TABLE cannot change
		exec("DROP TABLE %s", col.table)
		exec("%s", strings.Replace(create, col.name, "renamed", 1))
	} else {
		exec("ALTER TABLE %s RENAME COLUMN %q TO renamed", col.table, col.name)
	}
	f(c.schema(t))
}

// check returns what the analyzer says about each statement of the program.
func (c *corpus) check(t *testing.T, schema string) map[string][]string {
	t.Helper()
	w := newWorkspace()
	w.add(t, "example.com/app/migrations", "/migrations", `package migrations

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 1

const SchemaSQL = `+strconv.Quote(schema)+"\n")
	w.add(t, ncrucesPath+"/driver", "/driver", "package driver\n")
	pkg := w.add(t, "example.com/app", "/app", c.source)
	said := map[string][]string{}
	for _, d := range w.analyze(t, Analyzer, pkg) {
		for _, decl := range pkg.Syntax[0].Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || d.Pos < f.Pos() || d.Pos > f.End() {
				continue
			}
			n, err := strconv.Atoi(strings.TrimPrefix(f.Name.Name, "statement"))
			if err != nil {
				t.Fatal(err)
			}
			said[c.statements[n]] = append(said[c.statements[n]], d.Message)
		}
	}
	return said
}

// program returns the text of a package that has a function for each statement. It
// gives every parameter a value and every column a destination, so that nothing is
// wrong with it.
func program(t testing.TB, conn *sqlite3.Conn, statements []string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("package app\n\nimport (\n\t\"database/sql\"\n\n\t_ \"example.com/app/migrations\"\n\t_ \"github.com/ncruces/go-sqlite3/driver\"\n)\n\nvar _ *sql.DB\n")
	for i, statement := range statements {
		stmt, _, err := conn.Prepare(statement)
		if err != nil {
			t.Fatalf("%s\n\t%v", statement, err)
		}
		args := []string{strconv.Quote(statement)}
		for n := 1; n <= stmt.BindCount(); n++ {
			arg := strconv.Itoa(n)
			if name := stmt.BindName(n); strings.Trim(name, "?0123456789") != "" {
				arg = fmt.Sprintf("sql.Named(%q, %d)", name[1:], n)
			}
			args = append(args, arg)
		}
		columns := stmt.ColumnCount()
		stmt.Close()
		fmt.Fprintf(&b, "\nfunc statement%d(db *sql.DB) error {\n", i)
		if columns > 0 {
			fmt.Fprintf(&b, "\treturn db.QueryRow(%s).Scan(%s)\n}\n", strings.Join(args, ", "), strings.Repeat("new(any), ", columns))
		} else {
			fmt.Fprintf(&b, "\t_, err := db.Exec(%s)\n\treturn err\n}\n", strings.Join(args, ", "))
		}
	}
	return b.String()
}

func prepares(conn *sqlite3.Conn, statement string) error {
	stmt, _, err := conn.Prepare(statement)
	return errors.Join(err, stmt.Close())
}

// rows returns what a query gives, as text.
func rows(t *testing.T, conn *sqlite3.Conn, query string) (rows [][]string) {
	t.Helper()
	err := engine.Each(conn, func(r *sqlite3.Stmt) {
		var row []string
		for i := range r.ColumnCount() {
			row = append(row, r.ColumnText(i))
		}
		rows = append(rows, row)
	}, query)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
