package proof_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// FuzzDirectory generates code for a folder with any name that holds a migration with any name
// and text. What is generated compiles, and has the declarations that it has for any other
// names.
func FuzzDirectory(f *testing.F) {
	for _, name := range []string{
		"0002-b.sql", "0002-2fa.sql", "0002-`.sql", "0002-a\n).sql", "0002-*/.sql", "0002-a b.sql", "0002-\"; import \"os.sql", "0002-func.sql", "0002--.sql", "0002-_.sql",
		"0002-a.b.c.sql", "0002-" + strings.Repeat("x", 200) + ".sql", "0003-b.sql", "README.md", "0002-b.sql.bak", "0002-year-año.sql", "0002-\u202eb.sql", "0002-b.\x00sql", "0002-Latest.sql", "0002-test.sql",
	} {
		f.Add("migrations", name, "CREATE TABLE b (c);")
	}
	for _, dir := range []string{"1", "func", "a-b", "`", "a\nimport \"os\"", "main", "_", "año", "lockstep", "string", "context"} {
		f.Add(dir, "0002-b.sql", "CREATE TABLE b (c);")
	}
	for _, text := range []string{
		"", "-- `\nCREATE TABLE \"`\" (\"*/\" DEFAULT '\u202e');", "CREATE TABLE b (c); -- */ import \"os\"\n/* // */", "CREATE VIEW \"\n//go:embed x\n\" AS SELECT 1;", "\uFEFF\r\n;", "CREATE TABLE b (c", "'", "\xff",
	} {
		f.Add("migrations", "0002-b.sql", text)
	}
	f.Fuzz(func(t *testing.T, dir, name, text string) {
		if strings.ContainsAny(dir+name, "/\x00") || len(dir) > 100 || len(text) > 500 || name == "0001-a.sql" {
			return
		}
		folder := filepath.Join(newFolder(t), "x"+dir)
		if os.Mkdir(folder, 0o700) != nil ||
			os.WriteFile(filepath.Join(folder, "0001-a.sql"), []byte("CREATE TABLE a (b);"), 0o600) != nil ||
			os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600) != nil {
			return
		}
		defer os.RemoveAll(folder)
		result, err := gen.Generate(t.Context(), folder, gen.Options{NoPrograms: true})
		if err != nil {
			return
		}
		compilesAs(t, result)
	})
}

// compilesAs compiles what was generated, and looks for declarations that are not of the
// migrations.
func compilesAs(t *testing.T, result *gen.Result) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "lockstep_gen.go", result.Source, parser.ParseComments)
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Source)
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", exported)}
	if _, err := config.Check("migrations", fset, []*ast.File{file}, nil); err != nil {
		t.Fatalf("%v\n%s", err, result.Source)
	}
	var names []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					names = append(names, s.Names[0].Name)
				case *ast.ImportSpec:
					names = append(names, s.Path.Value)
				}
			}
		}
	}
	pins := 0
	for _, name := range names {
		if len(name) > 5 && name[0] == 'V' && strings.Trim(name[1:5], "0123456789") == "" {
			pins++
		}
	}
	if others := len(names) - pins; pins != len(result.Schema.Migrations) || others != declarations {
		t.Fatalf("%d pins and %d other declarations: %q\n%s", pins, others, names, result.Source)
	}
	want := []string{"//go:embed [0-9][0-9][0-9][0-9]-*[.s][gpsq][oyhl]"}
	for _, m := range result.Schema.Migrations {
		want = append(want, "//go:embed "+m.File)
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") && !slices.Contains(want, c.Text) {
				t.Fatalf("a directive: %s", c.Text)
			}
		}
	}
}

// declarations is how many others there are than pins, with the imports.
const declarations = 14

// exported finds what the compiler has written down of a package.
func exported(path string) (io.ReadCloser, error) {
	files, err := exports()
	if err != nil {
		return nil, err
	}
	return os.Open(files[path])
}

var exports = sync.OnceValues(func() (map[string]string, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "github.com/lockstep-db/lockstep/runtime", "embed").Output()
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return files, err
})

// FuzzChecksum writes a script with other blanks and comments, which has the same checksum and
// the same statements, and with one token less or another, which has not.
func FuzzChecksum(f *testing.F) {
	for _, text := range []string{
		"CREATE TABLE a(b DEFAULT 'c;');INSERT INTO a VALUES('-- d'),(x'00'),(1e5)", "-- lockstep: no-transaction\nVACUUM;", "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT CASE 1 WHEN 2 THEN ';' END; END; SELECT 1",
		"SELECT [a b],`c`,\"d\"\"e\",:f,?1,a->>'$.b'", "/*/ x */ SELECT 1--", "BEGIN; END; COMMIT", "\uFEFFSELECT 1;\r\n;;", "SELECT 'a\x00b', 'c", "x'0", "1.e", "-- lockstep:",
	} {
		f.Add(text, uint16(3))
	}
	f.Fuzz(func(t *testing.T, text string, at uint16) {
		s := sqltext.Parse(sqltext.Normalize([]byte(text)))
		n := len(s.Tokens)
		if n == 0 || n > 200 || slices.ContainsFunc(s.Tokens, func(t sqltext.Token) bool { return t.Kind == sqltext.Illegal }) {
			return // SQLite refuses it
		}
		written := func(leave int, other string, between string) *sqltext.Script {
			var b strings.Builder
			for i := range s.Tokens {
				text := s.Token(i)
				if i == leave {
					text = other
				}
				b.WriteString(text)
				if _, isDirective := s.Directive(i); isDirective {
					b.WriteString("\n")
				}
				b.WriteString(between)
			}
			return sqltext.Parse(b.String())
		}
		for _, between := range []string{" ", "\n", " /* ; ' */", "\t-- \" ;\n", "\f/**/ -- x\n "} {
			same := written(-1, "", between)
			if got, want := same.Checksum(), s.Checksum(); got != want {
				t.Fatalf("%q and %q have the checksums %s and %s", s.Text, same.Text, want, got)
			}
			was, is := s.Cut(), same.Cut()
			if len(was) != len(is) {
				t.Fatalf("%q has %d statements, and %q has %d", s.Text, len(was), same.Text, len(is))
			}
			for i := range was {
				if was[i].Skipped(true) != is[i].Skipped(true) || sqltext.Parse(was[i].SQL).Checksum() != sqltext.Parse(is[i].SQL).Checksum() {
					t.Fatalf("%q: statement %d is %q, and %q", s.Text, i, was[i].SQL, is[i].SQL)
				}
			}
		}
		every := 1 + n/40 // of a long text some, others each time
		for i := int(at) % every; i < n; i += every {
			for _, other := range []string{"", s.Token(i) + " " + s.Token(i), "another", "0", "''"} {
				if other == s.Token(i) {
					continue
				}
				if changed := written(i, other, " "); changed.Checksum() == s.Checksum() {
					t.Fatalf("%q and %q have the same checksum", s.Text, changed.Text)
				}
			}
		}
	})
}
