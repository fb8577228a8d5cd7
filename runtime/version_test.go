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

func TestDigest(t *testing.T) {
	one := lockstep.Migration{Version: 1, File: "0001-a.sql", Checksum: "t1:aa"}
	two := lockstep.Migration{Version: 2, File: "0002-b.sql", Checksum: "t1:bb"}
	digest := func(m ...lockstep.Migration) string { return lockstep.Digest(m) }
	t.Run("IsTheSameForEver", func(t *testing.T) {
		// Databases hold it.
		if got, want := digest(one, two), "t1:9e561cd40edbb0b065fab9a0f5778a4d"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("ChangesWithNumberTextAndOrder", func(t *testing.T) {
		seen := make(map[string]bool)
		edited, moved := two, two
		edited.Checksum, moved.Version = "t1:cc", 3
		for _, d := range []string{digest(), digest(one), digest(two), digest(one, two), digest(two, one), digest(one, edited), digest(one, moved)} {
			if seen[d] {
				t.Errorf("%s comes twice", d)
			}
			seen[d] = true
		}
	})
	t.Run("DoesNotMindNamesAndEarlierTexts", func(t *testing.T) {
		renamed := two
		renamed.File, renamed.Accepted = "0002-c.sql", []string{"t1:dd"}
		if got, want := digest(one, renamed), digest(one, two); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
