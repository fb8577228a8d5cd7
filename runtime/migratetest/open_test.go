package migratetest

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen/samedir"
)

func TestMain(m *testing.M) { samedir.Main(m) }

func TestDriver(t *testing.T) {
	for _, test := range []struct {
		claim      string
		registered []string
		want       string
	}{
		{"IsTheOneThatIsThere", []string{"postgres", "sqlite3"}, "sqlite3 <nil>"},
		{"CanHaveModerncsName", []string{"sqlite"}, "sqlite <nil>"},
		{"IsNotGuessed", []string{"sqlite", "sqlite3"}, " the test imports two SQLite drivers, sqlite3 and sqlite; say which by migratetest.Open"},
		{"HasToBeImported", []string{"postgres"}, " the test imports no SQLite driver; add the program's, as in\n\timport _ \"github.com/ncruces/go-sqlite3/driver\""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			name, err := driverName(test.registered)
			if got := fmt.Sprint(name, " ", err); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestDSN(t *testing.T) {
	t.Run("HoldsAnyPath", func(t *testing.T) {
		const want = "file:/a%20b/100%25%3F%23.db?_pragma=synchronous(0)&_sync=0"
		if got := dsn("/a b/100%?#.db"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestImportsTheStandardLibraryOnly: a driver of its own would be registered beside, or
// in place of, the one of the program.
func TestImportsTheStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if !strings.HasPrefix(path, "github.com/lockstep-db/lockstep/runtime") {
			t.Errorf("imports %s", path)
		}
	}
}
