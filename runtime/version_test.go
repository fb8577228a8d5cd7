package lockstep_test

import (
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestVersionIsWrittenAsInFileNames(t *testing.T) {
	for v, want := range map[lockstep.Version]string{0: "0000", 1: "0001", 11: "0011", 9999: "9999", 12345: "12345"} {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
