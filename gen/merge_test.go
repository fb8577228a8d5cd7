package gen

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// merging returns a directory in the middle of the merge, with ours moved.
func merging(t *testing.T) string {
	const theirs, ours = "CREATE TABLE theirs(a);\n", "CREATE TABLE ours(a);\n"
	dir := t.TempDir()
	write := func(name, text string) { writeFile(t, filepath.Join(dir, name), text) }
	commit := func(message string) {
		runGit(t, dir, "add", ".")
		runGit(t, dir, "commit", "-q", "-m", message)
	}
	write("0001-a.sql", "CREATE TABLE a(a);\n")
	generate(t, dir, Options{})
	runGit(t, dir, "init", "-q", "-b", "main")
	commit("base")
	runGit(t, dir, "checkout", "-q", "-b", "theirs")
	write("0002-theirs.sql", theirs)
	generate(t, dir, Options{})
	commit("theirs")
	runGit(t, dir, "checkout", "-q", "-b", "ours", "main")
	write("0002-ours.sql", ours)
	generate(t, dir, Options{})
	commit("ours")
	cmd := exec.CommandContext(t.Context(), "git", "merge", "-q", "theirs")
	cmd.Dir, cmd.Env = dir, gitEnv()
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("git merged without a conflict:\n%s", out)
	}
	if err := os.Rename(filepath.Join(dir, "0002-ours.sql"), filepath.Join(dir, "0003-ours.sql")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestHistoryOfAMerge has two branches that both add 0002, and renumbers one side by
// hand.
func TestHistoryOfAMerge(t *testing.T) {
	t.Run("IsThatOfEitherSide", func(t *testing.T) {
		dir := merging(t)
		r := generate(t, dir, Options{})
		if r.Schema.Expected != 3 {
			t.Errorf("got version %v; want 0003", r.Schema.Expected)
		}
		generate(t, dir, Options{}) // with the file that it has written
	})
	t.Run("IsThatOfOneSideAsAWhole", func(t *testing.T) {
		dir := merging(t)
		writeFile(t, filepath.Join(dir, "0002-theirs.sql"), "CREATE TABLE theirs(a, b);\n")
		if got, want := problemsOf(t, dir, Options{}), "0002-theirs.sql"+changed; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("IsThatOfHeadOnceItIsCommitted", func(t *testing.T) {
		dir := merging(t)
		generate(t, dir, Options{})
		runGit(t, dir, "add", "-A")
		runGit(t, dir, "commit", "-q", "-m", "merged")
		if err := os.Rename(filepath.Join(dir, "0002-theirs.sql"), filepath.Join(dir, "0004-theirs.sql")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "0003-ours.sql"), filepath.Join(dir, "0002-ours.sql")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "0004-theirs.sql"), filepath.Join(dir, "0003-theirs.sql")); err != nil {
			t.Fatal(err)
		}
		const want = "0002-ours.sql" + changed + "\n" + "0003-theirs.sql" + changed
		if got := problemsOf(t, dir, Options{}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("IsNotWhatNobodyCouldGenerate", func(t *testing.T) {
		// Both files and our lockstep_gen.go were committed.
		dir := merging(t)
		runGit(t, dir, "checkout", "-q", "--ours", FileName)
		if err := os.Rename(filepath.Join(dir, "0003-ours.sql"), filepath.Join(dir, "0002-ours.sql")); err != nil {
			t.Fatal(err)
		}
		runGit(t, dir, "add", "-A")
		runGit(t, dir, "commit", "-q", "-m", "merged wrongly")
		if err := os.Rename(filepath.Join(dir, "0002-ours.sql"), filepath.Join(dir, "0003-ours.sql")); err != nil {
			t.Fatal(err)
		}
		generate(t, dir, Options{Renumbered: 2})
		generate(t, dir, Options{})
		writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE a(a, b);\n")
		if got, want := problemsOf(t, dir, Options{}), "0001-a.sql"+changed+"\n0002-theirs.sql"+changed; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestHistoryOfAMergeWithGaps has a branch that adds 0003, and one that adds 0002. A
// database at 0003 never runs 0002, whichever side is merged into the other.
func TestHistoryOfAMergeWithGaps(t *testing.T) {
	for _, branch := range []string{"second", "third"} {
		t.Run("IntoThe"+branch, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) { writeFile(t, filepath.Join(dir, name), text) }
			commit := func(message string) {
				generate(t, dir, Options{Gaps: true})
				runGit(t, dir, "add", ".")
				runGit(t, dir, "commit", "-q", "-m", message)
			}
			write("0001-a.sql", "CREATE TABLE a(a);\n")
			runGit(t, dir, "init", "-q", "-b", "main")
			commit("base")
			runGit(t, dir, "checkout", "-q", "-b", "second")
			write("0002-b.sql", "CREATE TABLE b(a);\n")
			commit("second")
			runGit(t, dir, "checkout", "-q", "-b", "third", "main")
			write("0003-c.sql", "CREATE TABLE c(a);\n")
			commit("third")
			other := map[string]string{"second": "third", "third": "second"}[branch]
			runGit(t, dir, "checkout", "-q", branch)
			cmd := exec.CommandContext(t.Context(), "git", "merge", "-q", other)
			cmd.Dir, cmd.Env = dir, gitEnv()
			cmd.Run() // with conflicts
			const want = "0002-b.sql: numbered before 0003-c.sql, which databases may have run; they would never run this one\n\tlockstep renumber"
			if got := problemsOf(t, dir, Options{Gaps: true}); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if err := os.Rename(filepath.Join(dir, "0003-c.sql"), filepath.Join(dir, "0004-c.sql")); err != nil {
				t.Fatal(err)
			}
			commit("merged")
			generate(t, dir, Options{Gaps: true})
		})
	}
}
