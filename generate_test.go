package lockstep_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/samedir"
)

// TestExamples compares the generated files of the examples with their migrations.
func TestExamples(t *testing.T) {
	dirs, err := filepath.Glob("examples/*/migrations")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("got %d examples, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(filepath.Dir(dir))+"IsCurrent", func(t *testing.T) {
			res, err := gen.Generate(context.Background(), dir, gen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range res.Warnings {
				t.Error(w)
			}
			if why, err := res.Stale(); why != "" || err != nil {
				t.Errorf("%s, %v; run go generate ./...", why, err)
			}
		})
	}
}

// appMain is a program that only starts. It prints the version of its database, or why
// it does not start.
const appMain = `package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"example.com/app/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

const _ migrations.V0003DropDrafts = migrations.Latest

func main() {
	db, err := sql.Open("sqlite3", os.Args[2])
	if err != nil {
		panic(err)
	}
	gate := map[string]func(context.Context, *sql.DB, ...lockstep.Option) error{"migrate": migrations.Migrate, "check": migrations.Check}[os.Args[1]]
	err = gate(context.Background(), db, lockstep.WithTimeout(100*time.Millisecond))
	for kind, name := range map[error]string{
		lockstep.ErrBehind: "ErrBehind", lockstep.ErrAhead: "ErrAhead", lockstep.ErrUnmanaged: "ErrUnmanaged", lockstep.ErrDiverged: "ErrDiverged",
		lockstep.ErrDrift: "ErrDrift", lockstep.ErrBusy: "ErrBusy", lockstep.ErrStale: "ErrStale", lockstep.ErrUnreadable: "ErrUnreadable",
		lockstep.ErrForeignKey: "ErrForeignKey",
	} {
		if errors.Is(err, kind) {
			fmt.Println(name)
		}
	}
	if failed := (*lockstep.MigrationError)(nil); errors.As(err, &failed) {
		fmt.Println("MigrationError")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("at version", migrations.ExpectedVersion)
}
`

// appMigrations are the migrations of a program that has had three releases.
var appMigrations = map[string]string{
	"0001-initialize.sql":  "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, draft INTEGER NOT NULL DEFAULT 0);\n",
	"0002-add-tags.sql":    "CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes, tag TEXT NOT NULL);\nCREATE INDEX tags_by_name ON tags (tag);\n",
	"0003-drop-drafts.sql": "DELETE FROM notes WHERE draft <> 0;\nALTER TABLE notes DROP COLUMN draft;\n",
}

// TestStart runs a program on every kind of database it can find.
func TestStart(t *testing.T) {
	app := newApp(t)
	app.build()
	// The next release, and another program that began with the same migration.
	next, other := app.copy(t), app.copy(t)
	next.write("migrations/0004-add-times.sql", "ALTER TABLE notes ADD COLUMN time INTEGER;\n")
	other.write("migrations/0002-add-tags.sql", "CREATE TABLE labels (label TEXT);\n")
	next.run("go", "tool", "lockstep", "generate", "migrations")
	databases := map[string]string{} // by what made them
	migrated := func(m *module, flags ...string) func(*testing.T, string) {
		return func(t *testing.T, db string) {
			maker := m.dir + " " + strings.Join(flags, " ")
			if made, ok := databases[maker]; ok {
				write(t, db, made)
				return
			}
			m.in(t).migrate(db, flags...)
			databases[maker] = read(t, db)
		}
	}
	executed := func(script string) func(*testing.T, string) {
		return func(t *testing.T, db string) {
			if _, err := open(t, db).Exec(script); err != nil {
				t.Fatal(err)
			}
		}
	}

	starts := []struct {
		claim string
		make  []func(t *testing.T, db string)
		gate  string
		dsn   string // after the name of the file
		want  string
	}{
		{"MakesADatabase", nil, "migrate", "", "at version 0003\n"},
		{"UpgradesVersion1", makes(migrated(app, "--to", "1")), "migrate", "", "at version 0003\n"},
		{"UpgradesVersion2", makes(migrated(app, "--to", "2")), "migrate", "", "at version 0003\n"},
		{"AcceptsItsVersion", makes(migrated(app)), "migrate", "", "at version 0003\n"},
		{"AcceptsItsVersionWithoutWriting", makes(migrated(app)), "check", "", "at version 0003\n"},
		{"AcceptsAnExtraTable", makes(migrated(app), executed("CREATE TABLE extra (x)")), "check", "", "at version 0003\n"},
		{"AcceptsItsVersionReadOnly", makes(migrated(app)), "migrate", "?mode=ro", "at version 0003\n"},
		{"RefusesABehindDatabaseReadOnly", makes(migrated(app, "--to", "1")), "migrate", "?mode=ro", "ErrBehind\ndata.db: at version 0001, this program expects 0003: pending 0002-add-tags.sql, 0003-drop-drafts.sql: attempt to write a readonly database\n"},
		{"RollsBackAMigrationThatFails", makes(migrated(app, "--to", "1"), executed("CREATE TABLE tags (x)")), "migrate", "", refusal(t, "MigrationError")},
		{"RollsBackWhatLeavesRowsWithoutParent", makes(migrated(app, "--to", "2"), executed("INSERT INTO notes VALUES (7, 'x', 1); INSERT INTO tags VALUES (7, 'a'), (7, 'b')")), "migrate", "", refusal(t, "ErrForeignKey")},
		{"RefusesANewDatabaseToCheck", nil, "check", "", "ErrBehind\ndata.db: at version 0000, this program expects 0003: pending 0001-initialize.sql, 0002-add-tags.sql, 0003-drop-drafts.sql\n\tlockstep migrate --db data.db\n"},
		{"RefusesABehindDatabaseToCheck", makes(migrated(app, "--to", "1")), "check", "", refusal(t, "ErrBehind")},
		{"RefusesAnAheadDatabase", makes(migrated(next)), "migrate", "", refusal(t, "ErrAhead")},
		{"RefusesAnUnmanagedDatabase", makes(executed("CREATE TABLE notes (id); CREATE TABLE places (id)")), "migrate", "", refusal(t, "ErrUnmanaged")},
		{"RefusesADivergedDatabase", makes(migrated(other, "--to", "2")), "migrate", "", refusal(t, "ErrDiverged")},
		{"RefusesADriftedDatabase", makes(migrated(app), executed("DROP INDEX tags_by_name; ALTER TABLE notes ADD COLUMN color TEXT")), "migrate", "", refusal(t, "ErrDrift")},
		{"RefusesALockedDatabase", makes(migrated(app, "--to", "1"), locked), "migrate", "", refusal(t, "ErrBusy")},
		{"RefusesAFileThatIsNoDatabase", makes(func(t *testing.T, db string) { write(t, db, strings.Repeat("not a database\n", 100)) }), "migrate", "", refusal(t, "ErrUnreadable")},
	}
	for _, start := range starts {
		t.Run(start.claim, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "data.db")
			for _, f := range start.make {
				f(t, db)
			}
			before, _ := os.ReadFile(db)
			got, ok := app.in(t).start(start.gate, db, start.dsn)
			if got != start.want {
				t.Errorf("got\n%swant\n%s", got, start.want)
			}
			after, err := os.ReadFile(db)
			if err != nil {
				t.Fatal(err)
			}
			if (!ok || start.gate == "check") && !bytes.Equal(before, after) {
				t.Error("the file has changed")
			}
		})
	}
	t.Run("UpgradesInAnImageWithNothingElse", func(t *testing.T) { startInImage(t, app.in(t)) })
}

// startInImage starts the program as the Dockerfile in the topic recipes does: alone.
func startInImage(t *testing.T, app *module) {
	if _, err := exec.LookPath("chroot"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs chroot, as root")
	}
	var dockerfile string
	for _, b := range blocks(t, "cmd/lockstep/help/recipes.md") {
		if b.info == "dockerfile Dockerfile" {
			_, dockerfile, _ = strings.Cut(b.text, "\nFROM scratch\n")
		}
	}
	if want := "COPY --from=build --chown=65532:65532 /image /\nUSER 65532:65532\nWORKDIR /data\nVOLUME /data\nENTRYPOINT [\"/app\"]\n"; dockerfile != want {
		t.Fatalf("the Dockerfile ends in\n%swant\n%s", dockerfile, want)
	}
	image := t.TempDir()
	db := filepath.Join(image, "data", "data.db")
	write(t, filepath.Join(image, "app"), read(t, app.program()))
	write(t, db, "")
	app.migrate(db, "--to", "1")
	for _, path := range []string{filepath.Join(image, "app"), filepath.Dir(db), db} {
		if err := errors.Join(os.Chown(path, 65532, 65532), os.Chmod(path, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("chroot", "--userspec=65532:65532", image, "/app", "migrate", "file:/data/data.db")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "at version 0003\n" {
		t.Errorf("got %v\n%s", err, out)
	}
}

func makes(f ...func(*testing.T, string)) []func(*testing.T, string) { return f }

// refusal returns what "lockstep help errors" says that a program prints when it
// refuses to start for this reason.
func refusal(t *testing.T, kind string) string {
	t.Helper()
	for _, b := range blocks(t, "cmd/lockstep/help/errors.md") {
		for _, paragraph := range strings.Split(b.text, "\n\n") {
			if name, text, _ := strings.Cut(paragraph, "\n"); name == kind {
				return normal(kind + "\n" + strings.TrimSuffix(text, "\n") + "\n")
			}
		}
	}
	t.Errorf("errors.md does not show %s", kind)
	return ""
}

// locked holds the write lock of the database until the end of the test.
func locked(t *testing.T, db string) {
	conn, err := open(t, db).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
}

// TestStale builds programs from directories that have changed since they were
// generated.
func TestStale(t *testing.T) {
	const file = "migrations/0003-drop-drafts.sql"
	app := newApp(t)

	// behind makes a database at version 2, with a note that 0003 deletes and two
	// that it keeps.
	behind := func(t *testing.T, m *module) string {
		db := filepath.Join(t.TempDir(), "data.db")
		m.migrate(db, "--to", "2")
		if _, err := open(t, db).Exec("INSERT INTO notes VALUES (1, 'a', 0), (2, 'b', 1), (3, 'c', 0)"); err != nil {
			t.Fatal(err)
		}
		return db
	}

	t.Run("DoesNotCompileWithoutAMigration", func(t *testing.T) {
		m := app.copy(t)
		m.remove(file)
		m.doesNotCompile("migrations/lockstep_gen.go:LINE: pattern 0003-drop-drafts.sql: no matching files found\n")
	})
	t.Run("DoesNotCompileWithARenamedMigration", func(t *testing.T) {
		m := app.copy(t)
		m.remove(file)
		m.write("migrations/0003-delete-drafts.sql", appMigrations["0003-drop-drafts.sql"])
		m.doesNotCompile("migrations/lockstep_gen.go:LINE: pattern 0003-drop-drafts.sql: no matching files found\n")
	})
	t.Run("DoesNotCompileWithAnOldPin", func(t *testing.T) {
		m := app.copy(t)
		m.write("migrations/0004-add-times.sql", "ALTER TABLE notes ADD COLUMN time INTEGER;\n")
		m.run("go", "tool", "lockstep", "generate", "migrations")
		m.doesNotCompile("# example.com/app\n./main.go:LINE: cannot use migrations.Latest (constant 4 of int type migrations.V0004AddTimes) as migrations.V0003DropDrafts value in constant declaration\n")
	})
	t.Run("RefusesAMigrationThatWasNotGenerated", func(t *testing.T) {
		m := app.copy(t)
		m.write("migrations/0004-add-times.sql", "ALTER TABLE notes ADD COLUMN time INTEGER;\n")
		m.build()
		db := behind(t, m)
		m.refuses(db, refusal(t, "ErrStale"))
	})
	t.Run("RefusesAnEditedMigrationBeforeItRuns", func(t *testing.T) {
		m := app.copy(t)
		m.write(file, strings.Replace(appMigrations["0003-drop-drafts.sql"], " WHERE draft <> 0", "", 1))
		m.build()
		db := behind(t, app.in(t))
		m.refuses(db, "ErrStale\n0003-drop-drafts.sql: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./...\n")
	})
	t.Run("RunsTheSameStatementsUnderANewComment", func(t *testing.T) {
		m := app.copy(t)
		m.write(file, "-- Drafts; WHERE they went;\r\n"+appMigrations["0003-drop-drafts.sql"])
		m.build()
		db := behind(t, m)
		if got, ok := m.start("migrate", db, ""); !ok {
			t.Fatal(got)
		}
		var titles string
		if err := open(t, db).QueryRow("SELECT group_concat(title) FROM notes").Scan(&titles); err != nil || titles != "a,c" {
			t.Errorf("got %s, %v; want a,c", titles, err)
		}
	})
}

// TestReadme follows README.md, and then, from what that has made, each topic of "lockstep
// help": it writes the files, runs the commands and compares what they print.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell to run the commands")
	}
	m := newModule(t)
	m.env = append(m.env, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	exec.Command("go", "-C", m.dir, "mod", "download", "all").Run() // go mod tidy reads more than a new cache has
	m.remove("go.mod")                                              // the first command makes it
	m.follow("README.md")

	// The topics use the same folder, because the go command caches by folder.
	made := m.copy(t)
	// They run the command without "go tool", which first looks at all that it is made of.
	m.shortcut = `go() { case "$1 $2" in "tool lockstep") shift 2; ` + strings.TrimSpace(m.run("go", "tool", "-n", "lockstep")) + ` "$@";; *) command go "$@"; esac; }` + "\n"
	topics, err := filepath.Glob("cmd/lockstep/help/*.md")
	if err != nil || len(topics) == 0 {
		t.Fatalf("got %d topics, %v", len(topics), err)
	}
	for _, topic := range topics {
		t.Run(strings.TrimSuffix(filepath.Base(topic), ".md"), func(t *testing.T) {
			if _, err := exec.LookPath("git"); err != nil && strings.Contains(read(t, topic), "git init") {
				t.Skip("no git")
			}
			if err := errors.Join(os.RemoveAll(m.dir), os.CopyFS(m.dir, os.DirFS(made.dir))); err != nil {
				t.Fatal(err)
			}
			m.in(t).follow(filepath.ToSlash(topic))
		})
	}
}

// follow does what the blocks of a file say.
func (m *module) follow(file string) {
	t := m.t
	var output, outputs string
	all := blocks(t, file)
	for _, b := range all {
		info := strings.Fields(b.info)
		switch {
		case b.info == "" || b.info == "text message" || b.info == "text errors": // a figure; below; see TestStart
		case b.text == "go run ./examples/notes\ngo test ./...\n":
			// The one is TestProgram of examples/notes, the other runs this.
		case b.info == "sh" || b.info == "sh fails":
			var err error
			output, err = m.try("sh", "-e", "-c", m.shortcut+strings.ReplaceAll(b.text, "/path/to/lockstep", m.root))
			if (err != nil) != (b.info == "sh fails") {
				t.Fatalf("%s: %v\n%s", b.place, err, output)
			}
			output = strings.ReplaceAll(output, m.dir+"/", "")
			outputs += "\n" + strings.ReplaceAll(output, "lockstep: ", "")
		case b.info == "text output":
			if output != b.text {
				t.Errorf("%s: got\n%swant\n%s", b.place, output, b.text)
			}
		case len(info) == 3 && info[2] == "excerpt":
			var whole string
			others := append(slices.Clone(all), blocks(t, "cmd/lockstep/help/running.md")...)
			if i := slices.IndexFunc(others, func(b block) bool { return b.info == info[0]+" "+info[1] }); i >= 0 {
				whole = others[i].text
			} else {
				whole = read(t, m.path(info[1]))
			}
			if missing := excerpt(whole, b.text); missing != "" {
				t.Errorf("%s: not in %s, or not there:\n%s", b.place, info[1], missing)
			}
		case len(info) == 2 && (info[0] == "go" || info[0] == "sql" || info[0] == "dockerfile"):
			m.write(info[1], b.text)
			if formatted, err := format.Source([]byte(b.text)); info[0] == "go" && (err != nil || string(formatted) != b.text) {
				t.Errorf("%s: not as gofmt formats it, %v", b.place, err)
			}
		case b.info == "yaml": // what it runs is in a block for the shell, too
			for _, run := range regexp.MustCompile("(?m)- run: (.*)$").FindAllStringSubmatch(b.text, -1) {
				if !slices.ContainsFunc(all, func(b block) bool { return b.info == "sh" && strings.Contains("\n"+b.text, "\n"+run[1]+"\n") }) {
					t.Errorf("%s: no test runs %s", b.place, run[1])
				}
			}
		default:
			t.Errorf("%s: no test runs ```%s", b.place, b.info)
		}
	}
	for _, b := range all {
		if b.info == "text message" && !strings.Contains(outputs, "\n"+b.text) {
			t.Errorf("%s: nothing prints\n%s", b.place, b.text)
		}
	}
}

// A block is a fenced block of a Markdown file.
type block struct {
	info  string // what follows the fence: a language, and what the block is
	text  string
	place string // its file and first line
}

var fence = regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$")

func blocks(t *testing.T, file string) (blocks []block) {
	t.Helper()
	text := read(t, file)
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		line := strings.Count(text[:at[4]], "\n") + 1
		blocks = append(blocks, block{text[at[2]:at[3]], text[at[4]:at[5]], fmt.Sprintf("%s:%d", file, line)})
	}
	return blocks
}

// excerpt returns the first line of part that does not follow the others in whole,
// or "". A line "…" stands for lines that are left out, as there may be at the start.
func excerpt(whole, part string) string {
	rest := strings.Split(whole, "\n")
	skip := true
	for _, line := range strings.Split(strings.TrimSuffix(part, "\n"), "\n") {
		if strings.TrimSpace(line) == "…" {
			skip = true
			continue
		}
		i := slices.Index(rest, line)
		if i < 0 || i > 0 && !skip {
			return line
		}
		rest, skip = rest[i+1:], false
	}
	return ""
}

// A module is a Go module in a temporary folder that uses this one.
type module struct {
	t         *testing.T
	dir, root string // its folder, and that of the module that is tested
	env       []string
	tool      string // the file that "go tool lockstep" runs, of a module from newApp
	shortcut  string // begins each script
}

// newModule makes a module that requires the same versions as this one, so that nothing
// has to be fetched. Its command is the one of TestReadme, and is linked once.
func newModule(t *testing.T) *module {
	t.Helper()
	dir, err := filepath.EvalSymlinks(samedir.TempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	m := &module{t: t, dir: dir, root: root, env: append(os.Environ(), samedir.GoEnv()...)}
	m.write("go.mod", strings.Replace(read(t, "go.mod"), "module github.com/lockstep-db/lockstep\n", "module example.com/app\n", 1)+
		"\nrequire github.com/lockstep-db/lockstep v0.0.0-00010101000000-000000000000\n\nreplace github.com/lockstep-db/lockstep => "+m.root+"\n")
	m.write("go.sum", read(t, "go.sum"))
	return m
}

// newApp makes a module with a program and its migrations, generated.
func newApp(t *testing.T) *module {
	t.Helper()
	m := newModule(t)
	m.write("main.go", appMain)
	m.run("go", "tool", "lockstep", "init")
	for name, text := range appMigrations {
		m.write("migrations/"+name, text)
	}
	m.run("go", "generate", "./...")
	m.tool = strings.TrimSpace(m.run("go", "tool", "-n", "lockstep"))
	return m
}

// copy returns a copy of the module's files.
func (m *module) copy(t *testing.T) *module {
	t.Helper()
	c := m.in(t)
	c.dir = samedir.TempDir(t)
	if err := os.CopyFS(c.dir, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

// in returns the module for use in a subtest.
func (m *module) in(t *testing.T) *module {
	c := *m
	c.t = t
	return &c
}

// run runs a command in the module's folder and returns what it printed.
func (m *module) run(name string, args ...string) string {
	m.t.Helper()
	out, err := m.try(name, args...)
	if err != nil {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (m *module) try(name string, args ...string) (string, error) {
	defer samedir.Lock(name == "go" && m.tool == "" || strings.Contains(strings.Join(args, " "), " vet"))() // links or vets it
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = m.dir, m.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// migrate makes a database and migrates it.
func (m *module) migrate(db string, flags ...string) {
	m.t.Helper()
	m.run(m.tool, "create", "--db", db)
	m.run(m.tool, append([]string{"migrate", "--db", db}, flags...)...)
}

// build builds the module's program.
func (m *module) build() {
	m.t.Helper()
	m.run("go", "build", "-o", m.program(), ".")
}

func (m *module) program() string { return m.path("app.exe") } // Windows runs no other

// start runs the program on a database. It returns the output, with the database's
// folder left out.
func (m *module) start(gate, db, dsn string) (string, bool) {
	m.t.Helper()
	out, err := m.try(m.program(), gate, "file:"+filepath.ToSlash(db)+dsn)
	out = strings.ReplaceAll(out, filepath.Dir(db)+string(filepath.Separator), "")
	return normal(out), err == nil
}

// normal replaces what differs from run to run: how long the program waited, and the
// digest to allow.
func normal(out string) string {
	out = regexp.MustCompile(`for [0-9.]+[a-z]+[0-9a-z]*;`).ReplaceAllString(out, "for 1m0s;")
	return regexp.MustCompile(`allow d1:[0-9a-f]{32}\b`).ReplaceAllString(out, "allow d1:…")
}

// refuses starts the program on a database that it must leave alone.
func (m *module) refuses(db, want string) {
	m.t.Helper()
	before := read(m.t, db)
	if got, ok := m.start("migrate", db, ""); got != want || ok {
		m.t.Errorf("got\n%swant\n%s", got, want)
	}
	if read(m.t, db) != before {
		m.t.Error("the file has changed")
	}
}

// doesNotCompile builds the program, which the compiler must refuse with the text
// want, where LINE stands for line and column.
func (m *module) doesNotCompile(want string) {
	m.t.Helper()
	out, err := m.try("go", "build", "-o", m.program(), ".")
	out = regexp.MustCompile(`:\d+:\d+:`).ReplaceAllString(filepath.ToSlash(out), ":LINE:")
	if err == nil || out != want {
		m.t.Errorf("got %v\n%swant\n%s", err, out, want)
	}
}

func (m *module) path(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

func (m *module) write(name, text string) {
	m.t.Helper()
	write(m.t, m.path(name), text)
}

func (m *module) remove(name string) {
	m.t.Helper()
	if err := os.Remove(m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// open opens a database without lockstep, until the end of the test.
func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
