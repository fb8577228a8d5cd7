package gen

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
)

const changed = ": changed since lockstep_gen.go was generated; applied migrations do not change\n\twrite the difference as a new migration: lockstep new NAME"

// otherSchema is the problem of an accepted migration that makes another schema.
func otherSchema(version, difference string) string {
	return ": not accepted: databases that ran the recorded contents have another schema; at " + version + ", " + difference +
		"\n\twrite the difference as a new migration: lockstep new NAME"
}

// TestRecordedHistory edits a directory of three migrations that have been
// generated, and generates again. With git they are of one commit, and then a
func writes(name, text string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, name), text) }
}

func renames(old, new string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Rename(filepath.Join(dir, old), filepath.Join(dir, new)); err != nil {
			t.Fatal(err)
		}
	}
}

func removes(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

var historyTests = []struct {
	claim   string
	edit    func(t *testing.T, dir string)
	opts    Options
	without string // the problems without git
	with    string // with git
}{
	{claim: "NothingChanged", edit: func(*testing.T, string) {}},
	{
		claim:   "OldChanged",
		edit:    writes("0002-b.sql", "CREATE TABLE b(a, b);"),
		without: "0002-b.sql" + changed,
		with:    "0002-b.sql" + changed,
	},
	{claim: "OldChangedInComments", edit: writes("0002-b.sql", "-- Why.\nCREATE  TABLE b(\n a -- what\n);\r\n")},
	{
		claim:   "OldGivenADirective",
		edit:    writes("0002-b.sql", "-- lockstep: no-transaction\nCREATE TABLE b(a);"),
		without: "0002-b.sql" + changed,
		with:    "0002-b.sql" + changed,
	},
	{claim: "OldChangedAndAccepted", edit: writes("0002-b.sql", "CREATE TABLE b(a);\nINSERT INTO b VALUES (1);"), opts: Options{Accept: versions(2)}},
	{
		claim:   "OldChangedToAnotherSchemaAndAccepted",
		edit:    writes("0002-b.sql", "CREATE TABLE b(a, b);"),
		opts:    Options{Accept: versions(2)},
		without: "0002-b.sql" + otherSchema("0004", "table b: column b: not expected"),
		with:    "0002-b.sql" + otherSchema("0002", "table b: column b: not expected"),
	},
	{
		claim:   "OldGivenAnIndexAndAccepted",
		edit:    writes("0002-b.sql", "CREATE TABLE b(a);\nCREATE INDEX i ON b(a);"),
		opts:    Options{Accept: versions(2)},
		without: "0002-b.sql" + otherSchema("0004", "index i is new"),
		with:    "0002-b.sql" + otherSchema("0002", "index i is new"),
	},
	{
		claim: "OldMovedBetweenTwoAndAccepted", // what only git can tell: a database may be between
		edit: func(t *testing.T, dir string) {
			writes("0001-a.sql", "CREATE TABLE a(a); CREATE TABLE b(a);")(t, dir)
			writes("0002-b.sql", "SELECT 1;")(t, dir)
		},
		opts: Options{Accept: versions(1, 2)},
		with: "0001-a.sql" + otherSchema("0001", "table b is new"),
	},
	{
		claim: "OldAndNewestChangedAndOldAccepted",
		edit: func(t *testing.T, dir string) {
			writes("0002-b.sql", "CREATE TABLE b(a); SELECT 1;")(t, dir)
			writes("0004-d.sql", "CREATE TABLE d(a, b);")(t, dir)
		},
		opts:    Options{Accept: versions(2)},
		without: "0002-b.sql: cannot be accepted while the newest migration has changed, too; generate after each change",
	},
	{
		claim:   "NewestOfTheCommitChanged",
		edit:    writes("0003-c.sql", "CREATE TABLE c(a, b);"),
		without: "0003-c.sql" + changed,
		with:    "0003-c.sql" + changed,
	},
	{claim: "NewestChanged", edit: writes("0004-d.sql", "CREATE TABLE d(a, b);")},
	{claim: "NewestRenamed", edit: renames("0004-d.sql", "0004-dd.sql")},
	{claim: "NewestRemoved", edit: removes("0004-d.sql")},
	{
		claim:   "OldRenamed",
		edit:    renames("0002-b.sql", "0002-bb.sql"),
		without: "0002-bb.sql: renamed from 0002-b.sql since lockstep_gen.go was generated; applied migrations keep their names\n\tmv 0002-bb.sql 0002-b.sql",
		with:    "0002-bb.sql: renamed from 0002-b.sql since lockstep_gen.go was generated; applied migrations keep their names\n\tmv 0002-bb.sql 0002-b.sql",
	},
	{claim: "OldRenamedAndAccepted", edit: renames("0002-b.sql", "0002-bb.sql"), opts: Options{Accept: versions(2)}},
	{
		claim:   "OldRemoved",
		edit:    removes("0002-b.sql"),
		opts:    Options{Gaps: true},
		without: "0002-b.sql: removed since lockstep_gen.go was generated; applied migrations stay\n\twrite what undoes it as a new migration: lockstep new NAME",
		with:    "0002-b.sql: removed since lockstep_gen.go was generated; applied migrations stay\n\twrite what undoes it as a new migration: lockstep new NAME",
	},
	{
		claim:   "OldRemovedAndAccepted",
		edit:    removes("0002-b.sql"),
		opts:    Options{Gaps: true, Accept: versions(2)},
		without: "0002-b.sql: removed since lockstep_gen.go was generated; applied migrations stay\n\twrite what undoes it as a new migration: lockstep new NAME",
		with:    "0002-b.sql: removed since lockstep_gen.go was generated; applied migrations stay\n\twrite what undoes it as a new migration: lockstep new NAME",
	},
	{
		claim:   "AcceptedWhatIsNotThere",
		edit:    func(*testing.T, string) {},
		opts:    Options{Accept: versions(9)},
		without: "lockstep_gen.go: records no migration 0009 to accept",
		with:    "lockstep_gen.go: records no migration 0009 to accept",
	},
	{claim: "GeneratedFileLostButNothingChanged", edit: removes(FileName)},
	{
		claim: "GeneratedFileLostAndOldChanged",
		edit: func(t *testing.T, dir string) {
			removes(FileName)(t, dir)
			writes("0002-b.sql", "CREATE TABLE b(a, b);")(t, dir)
		},
		with: "0002-b.sql" + changed,
	},
	{
		claim:   "GeneratedFileWithConflicts",
		edit:    writes(FileName, genfile.Header+"\n\npackage migrations\n\n<<<<<<< HEAD\n"),
		without: "lockstep_gen.go:5: expected declaration, found '<<'; take one side of the conflict, then generate",
	},
	{
		claim:   "GeneratedFileOfSomebodyElse",
		edit:    writes(FileName, "package migrations\n"),
		without: "lockstep_gen.go: not generated by lockstep, so not overwritten; rename that file",
		with:    "lockstep_gen.go: not generated by lockstep, so not overwritten; rename that file",
	},
}

// fourth is generated that is of none.
func TestRecordedHistory(t *testing.T) {
	for _, test := range historyTests {
		for _, git := range []bool{false, true} {
			claim, want := test.claim+"WithoutGit", test.without
			if git {
				claim, want = test.claim+"WithGit", test.with
			}
			t.Run(claim, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "migrations")
				for _, name := range []string{"0001-a", "0002-b", "0003-c"} {
					writes(name+".sql", "CREATE TABLE "+name[5:]+"(a);\n")(t, dir)
				}
				generate(t, dir, Options{})
				if git {
					runGit(t, dir, "init", "-q")
					runGit(t, dir, "add", ".")
					runGit(t, dir, "commit", "-q", "-m", "three migrations")
				}
				writes("0004-d.sql", "CREATE TABLE d(a);\n")(t, dir)
				generate(t, dir, Options{})
				test.edit(t, dir)
				if got := problemsOf(t, dir, test.opts); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// TestAddedIntoAGap adds a migration below recorded ones, which only -gaps lets
// happen. A database that is past it would be at a version whose schema it lacks.
func TestAddedIntoAGap(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a);")
	writeFile(t, filepath.Join(dir, "0005-e.sql"), "CREATE TABLE e(a);")
	writeFile(t, filepath.Join(dir, "0009-i.sql"), "CREATE TABLE i(a);")
	commit := generate
	generate := func() error {
		r, err := Generate(t.Context(), dir, Options{Gaps: true})
		if err != nil {
			return err
		}
		return r.Commit()
	}
	if err := generate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ claim, file, next string }{
		{"BelowTheNewestIsRefused", "0007-g.sql", "0009-i.sql"},
		{"BelowAnOlderOneIsRefused", "0003-c.sql", "0005-e.sql"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			writeFile(t, filepath.Join(dir, test.file), "CREATE TABLE late(a);")
			want := test.file + ": numbered before " + test.next + ", which databases may have run; they would never run this one\n\tmv " +
				test.file + " 0010" + test.file[4:]
			if err := generate(); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			removes(test.file)(t, dir)
		})
	}
	t.Run("FillingTheGapIsRefused", func(t *testing.T) {
		dir := t.TempDir()
		writes("0001-a.sql", "CREATE TABLE a(a);")(t, dir)
		writes("0003-c.sql", "CREATE TABLE c(a);")(t, dir)
		commit(t, dir, Options{Gaps: true})
		writes("0002-b.sql", "CREATE TABLE b(a);")(t, dir)
		const want = "0002-b.sql: numbered before 0003-c.sql, which databases may have run; they would never run this one\n\tmv 0002-b.sql 0004-b.sql"
		if got := problemsOf(t, dir, Options{}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("BelowNewOnesIsRight", func(t *testing.T) {
		writes("0020-t.sql", "CREATE TABLE t(a);")(t, dir)
		writes("0010-j.sql", "CREATE TABLE j(a);")(t, dir)
		if err := generate(); err != nil {
			t.Error(err)
		}
	})
}

func TestAccept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "0001-a.sql")
	sums := func(r *Result) (current string, accepted []string) {
		return r.Schema.Migrations[0].Checksum, r.Schema.Migrations[0].Accepted
	}
	writeFile(t, path, "CREATE TABLE a(a);")
	writeFile(t, filepath.Join(dir, "0002-b.sql"), "CREATE TABLE b(a);")
	one, _ := sums(generate(t, dir, Options{}))
	writeFile(t, path, "CREATE TABLE a(a); SELECT 1;")
	two, accepted := sums(generate(t, dir, Options{Accept: versions(1)}))
	if want := one; strings.Join(accepted, " ") != want {
		t.Errorf("after the first change accepted is %s; want %s", accepted, want)
	}

	t.Run("LastsWithoutBeingRepeated", func(t *testing.T) {
		if _, accepted := sums(generate(t, dir, Options{})); strings.Join(accepted, " ") != one {
			t.Errorf("accepted is %s; want %s", accepted, one)
		}
	})
	t.Run("IsReadByLoad", func(t *testing.T) {
		r, err := Load(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, accepted := sums(r); strings.Join(accepted, " ") != one {
			t.Errorf("accepted is %s; want %s", accepted, one)
		}
	})
	t.Run("KeepsEveryEarlierChecksum", func(t *testing.T) {
		writeFile(t, path, "CREATE TABLE a(a); SELECT 2;")
		if _, accepted := sums(generate(t, dir, Options{Accept: versions(1)})); strings.Join(accepted, " ") != one+" "+two {
			t.Errorf("accepted is %s; want %s %s", accepted, one, two)
		}
	})
	t.Run("LetsAnEarlierTextComeBack", func(t *testing.T) {
		writeFile(t, path, "CREATE TABLE a(a);")
		current, accepted := sums(generate(t, dir, Options{}))
		if current != one || len(accepted) != 2 || accepted[0] != two {
			t.Errorf("got %s, accepted %s; want %s, accepted %s and the last", current, accepted, one, two)
		}
	})
	t.Run("SurvivesUntilItIsCommitted", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a);")
		generate(t, dir, Options{})
		runGit(t, dir, "init", "-q")
		runGit(t, dir, "add", ".")
		runGit(t, dir, "commit", "-q", "-m", "one migration")
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a); SELECT 1;")
		generate(t, dir, Options{Accept: versions(1)})
		generate(t, dir, Options{})
		// A change that was not accepted is still refused.
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a, b, c);")
		if got, want := problemsOf(t, dir, Options{}), "0001-a.sql"+changed; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("IsNotGrantedByHand", func(t *testing.T) {
		// What HEAD records is out there, whatever the file in the folder says.
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a);")
		generate(t, dir, Options{})
		runGit(t, dir, "init", "-q")
		runGit(t, dir, "add", ".")
		runGit(t, dir, "commit", "-q", "-m", "one migration")
		if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a, b);")
		if got, want := problemsOf(t, dir, Options{}), "0001-a.sql"+changed; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestBranches merges two branches that both add a migration 0002.
func TestBranches(t *testing.T) {
	for _, test := range []struct{ claim, ours, theirs string }{
		{"ConflictWithOtherDescription", "0002-ours.sql", "0002-theirs.sql"},
		{"ConflictWithSameDescription", "0002-same.sql", "0002-same.sql"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			t.Parallel()
			module := newModule(t)
			dir := filepath.Join(module, "migrations")
			writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a);\n")
			generate(t, dir, Options{})
			runGit(t, module, "init", "-q", "-b", "main")
			commit := func(message string) {
				runGit(t, module, "add", ".")
				runGit(t, module, "commit", "-q", "-m", message)
			}
			commit("base")
			runGit(t, module, "checkout", "-q", "-b", "theirs")
			writeFile(t, filepath.Join(dir, test.theirs), "CREATE TABLE theirs(a);\n")
			generate(t, dir, Options{})
			commit("theirs")
			runGit(t, module, "checkout", "-q", "main")
			writeFile(t, filepath.Join(dir, test.ours), "CREATE TABLE ours(a);\n")
			generate(t, dir, Options{})
			commit("ours")
			if out, err := goVet(t, module); err != nil {
				t.Fatalf("before the merge: %v\n%s", err, out)
			}

			cmd := exec.CommandContext(t.Context(), "git", "merge", "theirs")
			cmd.Dir = module
			cmd.Env = gitEnv()
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Fatalf("git merged without a conflict:\n%s", out)
			}
			merged, err := os.ReadFile(filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			conflicts := strings.Count(string(merged), "\n<<<<<<< ")
			if conflicts == 0 {
				t.Fatalf("no conflict in %s:\n%s", FileName, merged)
			}
			both := ""
			for line := range strings.Lines(string(merged)) {
				if !strings.HasPrefix(line, "<<<<<<< ") && !strings.HasPrefix(line, ">>>>>>> ") && line != "=======\n" {
					both += line
				}
			}
			writeFile(t, filepath.Join(dir, FileName), both)
			writeFile(t, filepath.Join(dir, test.ours), "CREATE TABLE ours(a);\n")
			if out, err := goVet(t, module); err == nil {
				t.Errorf("both sides taken compile:\n%s%s", both, out)
			}
		})
	}
}

// TestRenamedOrDeletedMigrationDoesNotCompile has what the embed directives with
// names are for.
func TestRenamedOrDeletedMigrationDoesNotCompile(t *testing.T) {
	module := newModule(t)
	dir := filepath.Join(module, "migrations")
	writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a);\n")
	writeFile(t, filepath.Join(dir, "0002-b.sql"), "CREATE TABLE b(a);\n")
	generate(t, dir, Options{})
	if out, err := goVet(t, module); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(dir, "0002-b.sql"), filepath.Join(dir, "0002-c.sql")); err != nil {
		t.Fatal(err)
	}
	if out, err := goVet(t, module); err == nil {
		t.Errorf("renamed, and it compiles: %s", out)
	}
	if err := os.Remove(filepath.Join(dir, "0002-c.sql")); err != nil {
		t.Fatal(err)
	}
	if out, err := goVet(t, module); err == nil {
		t.Errorf("deleted, and it compiles: %s", out)
	}
}

// generate generates and commits.
func generate(t *testing.T, dir string, opts Options) *Result {
	t.Helper()
	r, err := Generate(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}
	return r
}

func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = gitEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func gitEnv() []string {
	return append(os.Environ(),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
}

// versions is what Options.Accept takes.
func versions(ns ...lockstep.Version) []lockstep.Version { return ns }
