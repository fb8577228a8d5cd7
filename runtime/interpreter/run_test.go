package interpreter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/interpreter"
)

func TestRun(t *testing.T) {
	for _, test := range []struct {
		claim, file, text   string
		stdout, stderr, err string
	}{
		{"PassesTheDatabase", "0001-a.sh", `echo "$#" "${1##*/}"`, "1 the data.db\n", "", ""},
		{"PassesTheDatabaseToPython", "0001-a.py", `import os, sys; print(len(sys.argv), os.path.basename(sys.argv[1]))`, "2 the data.db\n", "", ""},
		{"TakesLineEndsOfWindows", "0001-a.sh", "if true\r\nthen\r\necho yes\r\nfi\r\n", "yes\n", "", ""},
		{"DropsAByteOrderMark", "0001-a.sh", "\ufeffecho yes", "yes\n", "", ""},
		{"ClosesStandardInput", "0001-a.sh", "cat; echo end", "end\n", "", ""},
		{"KeepsTheFileFromOthers", "0001-a.py", "import os; print(oct(os.stat(__file__).st_mode))", "0o100600\n", "", ""},
		{"TellsTheExitCode", "0001-a.sh", "echo out; echo err >&2; exit 7", "out\n", "err\n", "exit status 7"},
		{"KeepsTheEndOfALongOutput", "0001-a.py", `print("x" * 1000000 + "end")`, "…" + strings.Repeat("x", 64<<10-4) + "end\n", "", ""},
		{"KnowsNoOtherKind", "0001-a.rb", "", "", "", "cannot run a .rb file"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if _, err := interpreter.Find(test.file); err != nil && test.err == "" {
				t.Skip(err)
			}
			dir := t.TempDir()
			stdout, stderr, err := interpreter.Run(t.Context(), test.file, []byte(test.text), filepath.Join(dir, "the data.db"))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if stdout != test.stdout || stderr != test.stderr || got != test.err {
				t.Errorf("got %.100q, %q, %q; want %.100q, %q, %q", stdout, stderr, got, test.stdout, test.stderr, test.err)
			}
			if entries, err := os.ReadDir(dir); len(entries) > 0 || err != nil {
				t.Errorf("left %v, %v", entries, err)
			}
		})
	}
	t.Run("HasTheEnvironmentAndTheFolderOfTheProgram", func(t *testing.T) {
		if _, err := interpreter.Find("a.sh"); err != nil {
			t.Skip(err)
		}
		t.Setenv("LOCKSTEP_TEST", "here")
		dir := t.TempDir()
		t.Chdir(dir)
		stdout, _, err := interpreter.Run(t.Context(), "0001-a.sh", []byte(`echo "$LOCKSTEP_TEST"; echo x > made`), filepath.Join(t.TempDir(), "data.db"))
		if stdout != "here\n" || err != nil {
			t.Errorf("got %q, %v", stdout, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
			t.Error(err)
		}
	})
}
