package gen

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestScriptFailure(t *testing.T) {
	for claim, test := range map[string]struct{ name, wrote, want string }{
		"Python": {"0007-x.py", "started\nTraceback (most recent call last):\n  File \"/tmp/a b/0007-x.py\", line 9, in <module>\n    work()\n  File \"/tmp/a b/0007-x.py\", line 6, in work\n    json.loads('')\n" +
			"  File \"/usr/lib/json/decoder.py\", line 338, in decode\n    obj\njson.decoder.JSONDecodeError: Expecting value\n",
			"0007-x.py:6: exit status 1: json.decoder.JSONDecodeError: Expecting value"},
		"PythonSyntax":           {"0007-x.py", "  File \"C:\\tmp\\0007-x.py\", line 3\n    def work(:\n             ^\nSyntaxError: invalid syntax\n", "0007-x.py:3: exit status 1: SyntaxError: invalid syntax"},
		"PythonWithoutTraceback": {"0007-x.py", "a\nb\n\nc\nd\n", "0007-x.py: exit status 1: b; c; d"},
		"Dash":                   {"0007-x.sh", "/tmp/1/0007-x.sh: 4: frob: not found\n", "0007-x.sh:4: exit status 1: frob: not found"},
		"Bash":                   {"0007-x.sh", "/tmp/1/0007-x.sh: line 4: frob: command not found\n", "0007-x.sh:4: exit status 1: frob: command not found"},
		"Nothing":                {"0007-x.sh", "\n", "0007-x.sh: exit status 1"},
	} {
		t.Run(claim, func(t *testing.T) {
			m := &migration{name: test.name}
			if got := m.scriptFailure(errors.New("exit status 1"), test.wrote).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestScriptReplay(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	t.Run("ContextThatEnds", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "0001-x.sh"), "sleep 1000\n")
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer stop()
		if _, err := Generate(ctx, dir, Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if got := glob(t, temp); got != "" {
			t.Errorf("temporary files: %s", got)
		}
	})
	t.Run("FolderWithANameThatMeansSomethingInAURI", func(t *testing.T) {
		dir, temp := t.TempDir(), filepath.Join(t.TempDir(), "100%41#1")
		if err := os.Mkdir(temp, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", temp)
		writeFile(t, filepath.Join(dir, "0001-x.sql"), "CREATE TABLE t(a);\n")
		writeFile(t, filepath.Join(dir, "0002-y.sh"), "true\n")
		if _, err := Generate(t.Context(), dir, Options{}); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(filepath.Dir(temp)); err != nil || len(entries) != 1 {
			t.Errorf("got %v, %v", entries, err)
		}
	})
	t.Run("OutputAndPrograms", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "0001-x.sh"), "echo one\necho two >&2\n")
		writeFile(t, filepath.Join(dir, "0002-y.sql"), "CREATE TABLE t(a);\n")
		var output bytes.Buffer
		r, err := Load(t.Context(), dir, Options{Output: &output})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := output.String(), "one\ntwo\n"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
		text := []byte("echo one\r\necho two >&2\r\n")
		m := r.Schema.Migrations[0]
		if got := m.Program.Checksum(text); got != m.Checksum {
			t.Errorf("the checksum is %s, and the program's %s", m.Checksum, got)
		}
	})
}
