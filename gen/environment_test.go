package gen

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/interpreter"
)

// TestProgramsOfAReplayHaveAnEnvironmentOfTheirOwn has a token in the environment, which
// migrations that somebody else has written must not see. [TestGoReplay] has those in Go.
func TestProgramsOfAReplayHaveAnEnvironmentOfTheirOwn(t *testing.T) {
	for _, file := range []string{"a.sh", "a.py"} {
		if _, err := interpreter.Find(file); err != nil {
			t.Skip(err)
		}
	}
	offline(t)
	t.Setenv("LOCKSTEP_TEST_TOKEN", "secret")
	dir := filepath.Join(newModule(t), "migrations")
	writes("0001-a.sh", `test -z "$LOCKSTEP_TEST_TOKEN" || { echo the token >&2; exit 1; }
test "$HOME" != "`+os.Getenv("HOME")+`" && test -d "$HOME" && echo x > "$HOME/x" && echo x > "$TMPDIR/y" && test -n "$PATH"
`)(t, dir)
	writes("0002-b.py", `import os
assert "LOCKSTEP_TEST_TOKEN" not in os.environ and os.environ["HOME"] != "`+os.Getenv("HOME")+`", os.environ
`)(t, dir)
	writes("0003-c.sql", "CREATE TABLE c(a);")(t, dir)
	generate(t, dir, Options{})
}
