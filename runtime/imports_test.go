package lockstep_test

import (
	"os/exec"
	"testing"
)

// TestImportsTheStandardLibraryOnly holds the line that the package's users rely
// on: it brings no driver into their programs, and nothing else.
func TestImportsTheStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const want = "github.com/lockstep-db/lockstep/runtime/diskfile\ngithub.com/lockstep-db/lockstep/runtime/backupfile\ngithub.com/lockstep-db/lockstep/runtime/sqltext\ngithub.com/lockstep-db/lockstep/runtime/wording\ngithub.com/lockstep-db/lockstep/runtime/sqlite\ngithub.com/lockstep-db/lockstep/runtime/gotx\ngithub.com/lockstep-db/lockstep/runtime/program\ngithub.com/lockstep-db/lockstep/runtime\n"
	if got := string(out); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
