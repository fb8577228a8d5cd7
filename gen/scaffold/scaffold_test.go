package scaffold

import (
	"testing"

	"github.com/lockstep-db/lockstep/gen/gomod"
)

func TestModuleDriver(t *testing.T) {
	const ncruces, mattn, modernc = "github.com/ncruces/go-sqlite3", "github.com/mattn/go-sqlite3", "modernc.org/sqlite"
	tests := []struct {
		claim string
		m     *gomod.Module
		want  string
	}{
		{"IsNcrucesByDefault", &gomod.Module{}, ncruces + "/driver"},
		{"IsTheOneThatIsRequired", &gomod.Module{Direct: []string{"x", modernc}, Indirect: []string{ncruces}}, modernc},
		{"IsMattnThatWasJustAdded", &gomod.Module{Indirect: []string{mattn, ncruces}}, mattn},
		{"IsNotAnotherOnesMattn", &gomod.Module{Direct: []string{ncruces}, Indirect: []string{mattn}}, ncruces + "/driver"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := driver(tt.m); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}
